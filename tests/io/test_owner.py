"""A process is known again from another one by its number and start."""

import subprocess
import sys

import psutil
import pytest

from napari_covidseg.io import owner


def test_a_process_lives_until_it_ends():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    described = owner.describe(child.pid)
    assert owner.lives(described)
    child.communicate(b"\n")
    assert not owner.lives(described)
    with pytest.raises(psutil.NoSuchProcess):
        owner.describe(child.pid)


def test_a_later_process_of_the_same_number_is_another():
    mine = owner.describe()
    assert owner.lives(mine)
    assert not owner.lives({**mine, "started": mine["started"] - 60})
