"""Sample data: a CT and an X-ray made by code, and one real CT fetched on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pooch

from napari_covidseg import io, labels, phantom
from napari_covidseg.study import CovidsegError, Study
from napari_covidseg.viewer import results
from napari_covidseg.viewer.geometry import layer_kwargs
from napari_covidseg.viewer.reader import LayerData, image_layer
from napari_covidseg.viewer.waiting import keep_drawing

CITATION = (
    "Real CT: Lung-PET-CT-Dx (Li et al. 2020, doi:10.7937/TCIA.2020.NNC2-0461), "
    "The Cancer Imaging Archive, CC BY 4.0."
)
_COMMIT = "520adfe9e2e8e2b8c02985b228002c5b2997e5b6"
_HOME = (
    f"https://raw.githubusercontent.com/huyenbui117/lung_CT/{_COMMIT}/"
    "Lung-PET-CT-Dx/manifest-1675442780019/Lung-PET-CT-Dx/Lung_Dx-A0001/"
    "04-04-2007-NA-Chest-07990/3.000000-5mm-41315/"
)
_REGISTRY = Path(__file__).with_name("lung_ct_registry.txt")


def ct_phantom() -> list[LayerData]:
    """Chest CT made by code, with its true lungs and infection as hidden layers."""
    made = keep_drawing(phantom.ct, "Making the CT phantom")
    return _with_truth(made, "CT phantom", (labels.LUNGS, labels.INFECTION))


def xray_phantom() -> list[LayerData]:
    """Chest X-ray made by code, with its true lungs and opacities as hidden layers."""
    made = keep_drawing(phantom.xray, "Making the X-ray phantom")
    return _with_truth(made, "X-ray phantom", (labels.LUNGS, labels.OPACITY))


def lung_ct() -> list[LayerData]:
    """Real chest CT (64 slices, 34 MB), fetched once and kept.

    Raises
    ------
    CovidsegError
        If it cannot be fetched, or what came is not what was pinned.
    """
    folder = keep_drawing(fetch_lung_ct, "Fetching a real chest CT (34 MB)", usable=True)
    study = keep_drawing(lambda: io.read(folder), "Reading the chest CT")
    return [image_layer(study.replace(pseudonym="lung-ct"), "Lung-PET-CT-Dx A0001")]


def fetch_lung_ct() -> Path:
    """Fetch the real CT into the cache, checking each file; return its folder."""
    folder = pooch.os_cache("napari-covidseg") / "lung-pet-ct-dx-a0001"
    store = pooch.create(path=folder, base_url=_HOME, registry=None)
    store.load_registry(_REGISTRY)
    download = pooch.HTTPDownloader(timeout=15)
    pooch.get_logger().setLevel("ERROR")
    try:
        for name in store.registry:
            store.fetch(name, downloader=download)
    except ValueError as error:  # pooch: the checksum is another one
        raise CovidsegError(
            "The real CT came back changed (its checksum is off) and was thrown away: "
            "try again later, or use the phantom."
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        raise CovidsegError(
            "The real CT could not be fetched (no connection to its home on GitHub): "
            "go online and try again, or use the phantom."
        ) from error
    return folder


def _with_truth(
    made: phantom.Phantom, name: str, schemes: tuple[labels.LabelScheme, ...]
) -> list[LayerData]:
    layers = [image_layer(made.study, name)]
    for scheme, mask in zip(schemes, (made.lungs, made.infection), strict=True):
        layers.append((mask, _truth_kwargs(made.study, scheme), "labels"))
    return layers


def _truth_kwargs(study: Study, scheme: labels.LabelScheme) -> dict[str, Any]:
    kwargs = layer_kwargs(study)
    kwargs["metadata"]["covidseg"]["scheme"] = scheme.key
    return {
        **kwargs,
        "name": f"true {scheme.title}",
        "visible": False,
        "opacity": scheme.opacity,
        "colormap": results.colormap(scheme),
    }
