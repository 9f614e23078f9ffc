"""What an answer that the model drew is worth, by the study's rule: 0 to 1, the largest against any accepted answer."""

import re

# JavaScript's white space, which the lab trims; Python's is another.
BLANK = "\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
AT_ENDS = re.compile(f"^[{BLANK}]+|[{BLANK}]+\\Z")
NUMBER = re.compile(f"([+-]?(?:[0-9]+(?:,[0-9]{{3}})*(?:\\.[0-9]*)?|\\.[0-9]+)(?:e[+-]?[0-9]+)?)[{BLANK}]*(%?)\\Z", re.IGNORECASE)
COORDINATE = f"[{BLANK}]*([+-]?(?:[0-9]+\\.?[0-9]*|\\.[0-9]+))[{BLANK}]*"
BOX = re.compile(f"[\\[(]{','.join([COORDINATE] * 4)}[\\])]")


def cleaned(text):
    """Lower-case; the text after the last "answer is", "answer is:" or "answer:"; without blanks at the ends, trailing
    `.`, `:` and `,`, a leading `(` and a trailing `)`."""
    text = re.split("answer is:?|answer:", text.lower())[-1]
    text = re.sub(f"[.:,{BLANK}]+\\Z", "", AT_ENDS.sub("", text))
    return AT_ENDS.sub("", text.removeprefix("(").removesuffix(")"))


def number_in(text):
    match = NUMBER.match(text)
    return match and float(match[1].replace(",", "")) / (100 if match[2] else 1)


def box_in(text):
    """The first four numbers in brackets, x1 < x2 and y1 < y2; None when they are no box."""
    match = BOX.search(text)
    if match is None:
        return None
    x1, y1, x2, y2 = map(float, match.groups())
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def exact_match(answer, accepted):
    said = cleaned(answer)
    return float(said != "" and said in map(cleaned, accepted))


def number(answer, accepted, tolerance):
    """Numbers within tolerance·|expected| of the expected one, a percent sign divides by 100; anything else by exact match."""
    said = number_in(cleaned(answer))

    def is_right(expected):
        gold = number_in(cleaned(expected))
        if said is None or gold is None:
            return exact_match(answer, [expected]) == 1
        return abs(said - gold) <= tolerance * abs(gold) * (1 + 1e-12)

    return float(any(map(is_right, accepted)))


def box_iou(answer, accepted):
    """Intersection over union of the first box in each."""
    area = lambda box: max(0, box[2] - box[0]) * max(0, box[3] - box[1])
    found = box_in(answer)
    best = 0.0
    for wanted in map(box_in, accepted):
        if found is not None and wanted is not None:
            common = area((max(found[0], wanted[0]), max(found[1], wanted[1]), min(found[2], wanted[2]), min(found[3], wanted[3])))
            best = max(best, common / (area(found) + area(wanted) - common))
    return best


def reward_of(objective):
    """The rule as TRL calls it: completions and, for each, the answers that are accepted."""
    rule = {
        "exact-match": exact_match,
        "number": lambda answer, accepted: number(answer, accepted, objective["numberTolerance"]),
        "box-iou": box_iou,
    }[objective["reward"]]

    def reward(completions, accepted, **_):
        return [rule(answer, list(right)) for answer, right in zip(completions, accepted)]

    return reward
