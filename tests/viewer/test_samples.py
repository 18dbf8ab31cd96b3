"""Samples open, and the real one says in one line why it cannot."""

import hashlib

import numpy as np
import pooch
import pytest
from napari.components import ViewerModel

from napari_covidseg import phantom
from napari_covidseg.study import CovidsegError
from napari_covidseg.viewer import results, samples

PLUGIN = "napari-covidseg"
pytestmark = pytest.mark.usefixtures("plugin")


@pytest.mark.parametrize("key", ["ct_phantom", "xray_phantom"])
def test_phantoms_open_with_their_truth_hidden(monkeypatch, key):
    small = phantom.ct((16, 64, 64))
    monkeypatch.setattr(phantom, "ct", lambda: small)
    monkeypatch.setattr(phantom, "xray", lambda: small)
    viewer = ViewerModel()
    image, lungs, infection = viewer.open_sample(PLUGIN, key)
    assert image.visible
    assert not lungs.visible
    assert not infection.visible
    np.testing.assert_allclose(lungs.scale, image.scale)
    assert lungs.data.dtype == np.uint8
    kind = "infection" if key == "ct_phantom" else "opacity"
    assert [results.scheme_of(x).key for x in (lungs, infection)] == ["lungs", kind]


def registry():
    lines = samples._REGISTRY.read_text().splitlines()
    return dict(line.split(" sha256:") for line in lines if not line.startswith("#"))


def test_registry_pins_every_slice():
    assert len(registry()) == 64
    assert all(len(digest) == 64 for digest in registry().values())


@pytest.mark.shared
def test_registry_matches_the_real_files(shared_data):
    folder = shared_data / "ct_series_dicom" / "A0001_softkernel"
    for name, digest in registry().items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def no_network(*args, **kwargs):
    raise OSError("no route")


def test_offline_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **kwargs: no_network)
    with pytest.raises(CovidsegError, match="go online"):
        samples.fetch_lung_ct()


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    def other(url, output_file, store):
        with open(output_file, "wb") as stream:
            stream.write(b"something else")

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **kwargs: other)
    with pytest.raises(CovidsegError, match="checksum"):
        samples.fetch_lung_ct()


@pytest.mark.shared
def test_what_was_fetched_opens_without_a_network(shared_data, tmp_path, monkeypatch):
    folder = tmp_path / "napari-covidseg" / "lung-pet-ct-dx-a0001"
    folder.parent.mkdir()
    folder.symlink_to(shared_data / "ct_series_dicom" / "A0001_softkernel")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **kwargs: no_network)
    (image,) = ViewerModel().open_sample(PLUGIN, "lung_ct")
    assert image.data.shape == (64, 512, 512)
