"""Label maps with instances, pixel by pixel."""

from __future__ import annotations

import torch

from dancekit.generators.pix2pixhd_labels import InstanceEncoder, instance_edges, one_hot_labels


def test_one_plane_a_class():
    labels = torch.tensor([[[[0, 2], [1, 2]]]])
    planes = one_hot_labels(labels, 3)
    assert planes.argmax(1).tolist() == labels[:, 0].tolist() and planes.sum() == 4


def test_edges_lie_on_both_sides_of_a_border():
    instances = torch.zeros(1, 1, 4, 5, dtype=torch.long)
    instances[..., 1:, 3:] = 7
    expected = [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0]]
    assert instance_edges(instances)[0, 0].tolist() == expected


def test_features_are_the_mean_of_their_instance():
    torch.manual_seed(0)
    network = InstanceEncoder(ngf=2, n_down=1)
    image, instances = torch.randn(2, 3, 8, 8), torch.randint(0, 3, (2, 1, 8, 8))
    got, plain = network(image, instances), network.model(image)
    for sample in range(2):
        for number in range(3):
            here = instances[sample, 0] == number
            mean = plain[sample][:, here].mean(1, keepdim=True)
            torch.testing.assert_close(got[sample][:, here], mean.expand(3, int(here.sum())))
