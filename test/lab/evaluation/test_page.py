# SPDX-License-Identifier: Apache-2.0
from html.parser import HTMLParser

import numpy as np

from clipseg_ros.lab.evaluation.gallery import Gallery
from clipseg_ros.lab.evaluation.page import write_page
from clipseg_ros.lab.evaluation.pictures import Picture, Question
from clipseg_ros.lab.evaluation.run import evaluate

MASK = np.zeros((30, 40), bool)
MASK[5:20, 10:30] = True


class Fake:
    def segment(self, image, prompts):
        return np.stack([np.float32(MASK) * 0.8] * len(prompts))


class Sources(HTMLParser):
    """Collects where a page takes things from, its tags and its text."""

    def __init__(self):
        super().__init__()
        self.sources, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_page_is_whole_and_needs_no_other_file(tmp_path):
    nasty = "<script>alert('cup')</script> & co"
    questions = (Question(nasty, "noun", MASK), Question("dog", "absent", MASK & ~MASK))
    picture = Picture("a'<b>.png", np.zeros((30, 40, 3), np.uint8), questions, MASK.astype(np.uint8))
    gallery = Gallery(2)
    evaluation = evaluate(Fake(), [picture], matting=True, on_case=gallery.offer)
    path = write_page(evaluation, gallery, tmp_path / "new", title="demo & home")
    assert path == tmp_path / "new" / "index.html" and list(path.parent.iterdir()) == [path]
    page = Sources()
    page.feed(path.read_text())
    assert len(page.sources) == 2 and all(s.startswith("data:image/jpeg;base64,") for s in page.sources)
    assert "script" not in page.tags and "b>.png" in page.text and nasty in page.text
    assert page.tags.count("table") == 2 and page.tags.count("polyline") == 2
    assert "IoU 1.000" in page.text and "right object" in page.text and "demo & home" in page.text
