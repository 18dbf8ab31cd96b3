"""The window with a model's card, with the pictures that lie beside it."""

from qtpy.QtCore import QUrl
from qtpy.QtGui import QImage, QPixmap, QTextDocument
from qtpy.QtWidgets import QTextBrowser, QWidget

from napari_covidseg import RESEARCH_ONLY
from napari_covidseg.inference.registry import read_model
from napari_covidseg.viewer.model_rows import card_dialog


def test_a_picture_of_the_card_is_found_beside_it(models, qtbot) -> None:
    folder = models / "ct-lungs"
    pixels = QImage(9, 7, QImage.Format.Format_RGB32)
    pixels.fill(0)
    assert pixels.save(str(folder / "reliability.png"))
    (folder / "README.md").write_text("# Card\n\n![A plot](reliability.png)\n\n![B](none.png)\n")
    parent = QWidget()
    qtbot.addWidget(parent)
    browser = card_dialog(read_model(folder), parent).findChild(QTextBrowser)

    def picture(name: str) -> object:
        return browser.document().resource(QTextDocument.ResourceType.ImageResource, QUrl(name))

    found = picture("reliability.png")
    assert not QPixmap(found).isNull() if isinstance(found, QImage) else bool(found)
    assert not picture("none.png")
    assert RESEARCH_ONLY in browser.toPlainText()
