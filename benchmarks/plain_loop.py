"""The training step as the original structures it, plain fp32: what `train_step.py` measures against.

Written from reference/edn.md (sections 4, 6 and 9.1), not from the code. What is wasteful in it is what that
section lists: painted views go through the discriminator twice (P1), VGG19 sees the frames of a pair one by one
(P2), the backward pass of the generator's loss also computes gradients of the discriminator's weights, which
are thrown away, targets are allocated in every call (P8), whole frames are put together for a display in every
step (P12), Adam is torch's default, which loops over the weights on a CPU, and the generator's weights are
listed twice in it. Layouts and layers are torch's defaults.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def _block(channels: int) -> nn.Module:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_block = nn.Sequential(
                nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(True),
                nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
            )  # fmt: skip

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv_block(x)

    return Block()


def global_generator(in_channels: int, ngf: int, n_down: int, n_blocks: int) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.ReflectionPad2d(3), nn.Conv2d(in_channels, ngf, 7), nn.InstanceNorm2d(ngf), nn.ReLU(True)
    ]  # fmt: skip
    for level in range(n_down):
        c = ngf * 2**level
        layers += [nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * c), nn.ReLU(True)]
    layers += [_block(ngf * 2**n_down) for _ in range(n_blocks)]
    for level in reversed(range(n_down)):
        c = ngf * 2**level
        up = nn.ConvTranspose2d(2 * c, c, 3, stride=2, padding=1, output_padding=1)
        layers += [up, nn.InstanceNorm2d(c), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh())


class MultiscaleD(nn.Module):
    def __init__(self, in_channels: int, ndf: int, num_d: int, n_layers: int = 3) -> None:
        super().__init__()
        self.scales = nn.ModuleList()
        for _ in range(num_d):
            layers = [nn.Sequential(nn.Conv2d(in_channels, ndf, 4, 2, 2), nn.LeakyReLU(0.2, True))]
            c = ndf
            for number in range(1, n_layers + 1):
                wide = min(2 * c, 512)
                conv = nn.Conv2d(c, wide, 4, 2 if number < n_layers else 1, 2)
                layers.append(nn.Sequential(conv, nn.InstanceNorm2d(wide), nn.LeakyReLU(0.2, True)))
                c = wide
            layers.append(nn.Sequential(nn.Conv2d(c, 1, 4, 1, 2)))
            self.scales.append(nn.ModuleList(layers))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        found = []
        for number, scale in enumerate(self.scales):
            maps, y = [], x
            for layer in scale:
                y = layer(y)
                maps.append(y)
            found.append(maps)
            if number < len(self.scales) - 1:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return found


class PlainLoop:
    """pix2pixHD's step (one frame) and Everybody Dance Now's (a pair of frames)."""

    def __init__(
        self, *, ngf: int, n_down: int, n_blocks: int, ndf: int, num_d: int, pair: bool, vgg: nn.Module | None
    ) -> None:
        frames = 2 if pair else 1
        self.pair, self.vgg = pair, vgg
        self.generator = global_generator(6 if pair else 3, ngf, n_down, n_blocks)
        self.discriminator = MultiscaleD(6 * frames, ndf, num_d)
        for module in itertools.chain(self.generator.modules(), self.discriminator.modules()):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, 0, 0.02)
        weights = list(self.generator.parameters())
        self.optimizer_g = Twice(weights) if pair else torch.optim.Adam(weights, 2e-4, betas=(0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(self.discriminator.parameters(), 2e-4, betas=(0.5, 0.999))

    def step(self, labels: list[Tensor], images: list[Tensor]) -> dict[str, float]:
        fakes = self.paint(labels)
        fake, real = torch.cat([*labels, *fakes], 1), torch.cat([*labels, *images], 1)
        d_fake = _gan(self.discriminator(fake.detach()), 0.0)
        truth = self.discriminator(real)
        d_real = _gan(truth, 1.0)
        seen = self.discriminator(fake)
        losses = {"gan": _gan(seen, 1.0), "features": 10 * _features(seen, truth)}
        if self.vgg is not None:
            factor = 5.0 if self.pair else 10.0
            terms = (self._perceptual(a, b) for a, b in zip(fakes, images, strict=True))
            losses["perceptual"] = factor * sum(terms)  # type: ignore[assignment]
        shown = torch.cat([torch.cat(labels, 3), torch.cat(fakes, 3), torch.cat(images, 3)], 2).detach()
        assert shown.dim() == 4  # what the original puts together for its display in every step
        self.optimizer_g.zero_grad()
        sum(losses.values()).backward()  # type: ignore[union-attr]
        self.optimizer_g.step()
        self.optimizer_d.zero_grad()
        (0.5 * (d_fake + d_real)).backward()
        self.optimizer_d.step()
        losses["d"] = (d_fake + d_real) / 2
        return {name: float(value.detach()) for name, value in losses.items()}

    def paint(self, labels: list[Tensor]) -> list[Tensor]:
        if not self.pair:
            return [self.generator(labels[0])]
        before = torch.zeros_like(labels[0])
        fakes = []
        for label in labels:
            before = self.generator(torch.cat([label, before], 1))
            fakes.append(before)
        return fakes

    def _perceptual(self, fake: Tensor, real: Tensor) -> Tensor:
        assert self.vgg is not None
        painted, true = self.vgg(fake), self.vgg(real)
        factors = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
        return sum(w * F.l1_loss(a, b.detach()) for w, a, b in zip(factors, painted, true, strict=True))  # type: ignore[return-value]


class Twice:
    """Adam over a list in which every weight stands twice, without torch's warning: two updates a step."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self.adam = torch.optim.Adam(list(weights), 2e-4, betas=(0.5, 0.999))

    def zero_grad(self) -> None:
        self.adam.zero_grad()

    def step(self) -> None:
        self.adam.step()
        self.adam.step()


def _gan(found: list[list[Tensor]], label: float) -> Tensor:
    return sum(F.mse_loss(scale[-1], torch.full_like(scale[-1], label)) for scale in found)  # type: ignore[return-value]


def _features(fake: list[list[Tensor]], real: list[list[Tensor]]) -> Tensor:
    total: Tensor = fake[0][0].new_zeros(())
    for painted, true in zip(fake, real, strict=True):
        for a, b in zip(painted[:-1], true[:-1], strict=True):
            total = total + F.l1_loss(a, b.detach()) * 4 / (len(painted) - 1) / len(fake)
    return total


def clips_of(data: Path | None, size: int) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Pairs of (labels, images): consecutive frames of the first video in a folder, or noise."""
    generator = torch.Generator().manual_seed(0)
    frames: list[Tensor] = []
    if data is not None:
        from dancekit.video import read_frames

        files = [data] if data.is_file() else sorted(data.rglob("*.mp4"))
        if not files:
            raise SystemExit(f"no video in {data}")
        for frame in read_frames(files[0], stop=6):
            image = torch.from_numpy(frame.rgb.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            frames.append(F.interpolate(image, (size, size), mode="area"))
    else:
        frames = [torch.rand(1, 3, size, size, generator=generator) * 2 - 1 for _ in range(6)]
    labels = []
    for number in range(len(frames)):
        label = torch.zeros(1, 3, size, size)
        label[:, :, 40 : size - 20, 90 + 4 * number : 110 + 4 * number] = 0.8
        labels.append(label)
    for start in itertools.cycle(range(len(frames) - 1)):
        yield labels[start : start + 2], frames[start : start + 2]
