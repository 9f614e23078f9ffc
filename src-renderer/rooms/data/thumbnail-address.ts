/** The small copy of an image of the project, or the image itself where it needs none. */
export const thumbnailAddress = (sha256: string): string => `lab-image://sha/${sha256}?thumbnail`
