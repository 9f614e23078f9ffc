"""The bench's model and step in PyTorch, for `npm run bench -- --peer`: eager, compiled, and compiled with bfloat16 autocast.

Called with configuration, objective and number of steps; prints one line of JSON a case. DPO is done as TRL does it: a frozen
second copy of the model gives the reference's log-probabilities in every step, and each of the two answers carries its image.
Shapes, widths and the optimiser are those of configurations.ts and train-step.ts; weights and data are random.
"""

import json
import math
import resource
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

CONFIGURATIONS = {
    "tiny": dict(image=64, patch=8, vision=(128, 4, 4), text=(192, 4, 6), vocabulary=2048, batch=8, tokens=32),
    "small": dict(image=128, patch=16, vision=(384, 6, 6), text=(384, 6, 6), vocabulary=8192, batch=4, tokens=64),
}


class Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.o = nn.Linear(width, width, bias=not causal)

    def forward(self, x, rotary=None):
        B, T, D = x.shape
        q, k, v = (p(x).view(B, T, self.heads, D // self.heads).transpose(1, 2) for p in (self.q, self.k, self.v))
        if rotary is not None:
            q, k = (turn(y, *rotary) for y in (q, k))
        return self.o(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2).reshape(B, T, D))


def turn(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class VisionBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, 1e-6), nn.LayerNorm(width, 1e-6)
        self.attention = Attention(width, heads, causal=False)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class TextBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(width, 1e-6), nn.RMSNorm(width, 1e-6)
        self.attention = Attention(width, heads, causal=True)
        self.gate, self.up = (nn.Linear(width, 4 * width, bias=False) for _ in range(2))
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, rotary):
        x = x + self.attention(self.norm1(x), rotary)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class MultimodalLm(nn.Module):
    def __init__(self, image, patch, vision, text, vocabulary, **_):
        super().__init__()
        (Dv, Lv, Hv), (D, L, H) = vision, text
        self.patches = (image // patch) ** 2
        self.embed = nn.Linear(3 * patch * patch, Dv)
        self.positions = nn.Parameter(0.02 * torch.randn(self.patches, Dv))
        self.vision = nn.ModuleList(VisionBlock(Dv, Hv) for _ in range(Lv))
        self.projector = nn.Sequential(nn.Linear(Dv, D), nn.GELU(), nn.Linear(D, D))
        self.tokens = nn.Embedding(vocabulary, D)
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.text = nn.ModuleList(TextBlock(D, H) for _ in range(L))
        self.norm = nn.RMSNorm(D, 1e-6)
        self.head_width = D // H

    def forward(self, pixels, ids, answer):
        """Logits of the last `answer` tokens of each row, (B, answer, V)."""
        x = self.embed(pixels) + self.positions
        for block in self.vision:
            x = block(x)
        x = torch.cat([self.projector(x), self.tokens(ids)], 1)
        T = x.shape[1]
        half = self.head_width // 2
        angles = torch.arange(T)[:, None] * (10000.0 ** (-torch.arange(half) / half))
        rotary = tuple(torch.cat([f(angles)] * 2, -1) for f in (torch.cos, torch.sin))
        for block in self.text:
            x = block(x, rotary)
        return F.linear(self.norm(x[:, T - answer - 1 : T - 1]), self.tokens.weight)


def log_probs(model, pixels, ids, answer):
    """Summed over each answer, (B)."""
    logits = model(pixels, ids, answer).float()
    return torch.log_softmax(logits, -1).gather(-1, ids[:, -answer:, None]).sum((1, 2))


def measure(name, configuration, objective, steps, compiled, bfloat16):
    torch.manual_seed(0)
    size = CONFIGURATIONS[configuration]
    B, tokens, answer = size["batch"], size["tokens"], size["tokens"] // 2
    policy = MultimodalLm(**size)
    optimizer = torch.optim.AdamW(policy.parameters(), lr=1e-4, weight_decay=0)
    pixels = torch.randn(B, policy.patches, 3 * size["patch"] ** 2)
    chosen, rejected = (torch.randint(2, size["vocabulary"], (B, tokens)) for _ in range(2))
    if objective == "sft":

        def loss_of():
            logits = policy(pixels, chosen, answer).float()
            return F.cross_entropy(logits.flatten(0, 1), chosen[:, -answer:].flatten())

    else:
        reference = MultimodalLm(**size).requires_grad_(False)
        reference.load_state_dict(policy.state_dict())
        both_pixels, both = torch.cat([pixels, pixels]), torch.cat([chosen, rejected])

        def loss_of():
            with torch.no_grad():
                held = log_probs(reference, both_pixels, both, answer)
            ratio = log_probs(policy, both_pixels, both, answer) - held
            return -F.logsigmoid(0.1 * (ratio[:B] - ratio[B:])).mean()

    forward = torch.compile(loss_of) if compiled else loss_of

    def step():
        begun, cpu = time.perf_counter(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = forward()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
        optimizer.step()
        assert math.isfinite(loss.item())
        return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)

    first, _ = step()
    step()
    taken = [step() for _ in range(steps)]
    rows = B if objective == "sft" else 2 * B
    median = statistics.median(ms for ms, _ in taken)
    print(
        json.dumps(
            dict(
                name=f"PyTorch {torch.__version__.split('+')[0]}, {name}",
                medianMs=median,
                fastestMs=min(ms for ms, _ in taken),
                cpuMs=statistics.median(cpu for _, cpu in taken),
                firstMs=first,
                tokensPerSecond=1000 * rows * (policy.patches + tokens) / median,
                peakMb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
            )
        ),
        flush=True,
    )


if __name__ == "__main__":
    configuration, objective, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
    # Peak memory of the process so far: the cases come in the order of what they take.
    measure("eager", configuration, objective, steps, compiled=False, bfloat16=False)
    measure("eager, bf16", configuration, objective, steps, compiled=False, bfloat16=True)
    measure("compiled", configuration, objective, steps, compiled=True, bfloat16=False)
    measure("compiled, bf16", configuration, objective, steps, compiled=True, bfloat16=True)
