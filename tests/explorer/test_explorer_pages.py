"""Every page draws, fits its window, obeys the keyboard, and asks nobody for anything."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

PAGES = ("shape", "many", "temperature", "collapse", "walkers")
STILL = {"prefers_reduced_motion": "reduce"}
STAGE = "document.getElementById('stage')"


def picture(chromium):
    """What the stage shows, (height, width, 3)."""
    coded = chromium.tell(f"{STAGE}.toDataURL()").split(",")[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB"))


def told(chromium, name):
    return chromium.tell(f"document.getElementById('{name}').textContent")


def comes(chromium, true):
    """Whether something becomes true within ten seconds."""
    for _ in range(200):
        if true():
            return True
        chromium.tell("new Promise((done) => setTimeout(done, 50))")
    return False


@pytest.mark.parametrize("page", PAGES)
def test_each_page_draws_in_light_and_dark_and_fits_a_desk_and_a_phone(chromium, address, page):
    chromium.loaded.clear()
    corners = []
    for light, width in (("light", 1240), ("dark", 390)):
        chromium.open(f"{address}#{page}", width, 844, prefers_color_scheme=light, **STILL)
        chromium.tell("ebmlab.steps(12)")
        seen = picture(chromium)
        assert len(np.unique(seen[::3, ::3].astype(int) @ [1, 256, 65536])) > 300
        assert chromium.tell("document.documentElement.scrollWidth") <= width
        corners.append(int(seen[-1, -1].sum()))
        assert chromium.tell("document.querySelector('#formula .katex') !== null")
        assert len(told(chromium, "summary")) > 40
    assert corners[0] > 700
    assert corners[1] < 150
    assert chromium.problems == []
    assert all(each.startswith(("file:", "data:", "about:")) for each in chromium.loaded)


def test_the_page_goes_on_by_itself_and_stops_when_asked(chromium, address):
    chromium.open(f"{address}#walkers")
    first = picture(chromium)
    assert comes(chromium, lambda: (picture(chromium) != first).any())
    chromium.press(" ")
    assert told(chromium, "play") == "Play"
    before = picture(chromium)
    chromium.tell("new Promise((done) => setTimeout(done, 200))")
    assert (picture(chromium) == before).all()


def test_it_stands_still_for_who_wants_no_motion(chromium, address):
    chromium.open(f"{address}#walkers", **STILL)
    assert told(chromium, "play") == "Play"
    before = picture(chromium)
    chromium.tell("new Promise((done) => setTimeout(done, 200))")
    assert (picture(chromium) == before).all()
    # What is asked for is drawn all the same.
    chromium.tell("document.getElementById('light').click()")
    assert comes(chromium, lambda: picture(chromium)[-1, -1].sum() < 150 < before[-1, -1].sum())
    chromium.open(f"{address}#walkers")
    assert told(chromium, "play") == "Pause"


def test_keys_choose_pages_and_move_a_mark_in_the_picture(chromium, address):
    chromium.open(address)
    chromium.press("3")
    assert comes(chromium, lambda: told(chromium, "title") == "Temperature")
    before = told(chromium, "summary")
    chromium.tell(f"{STAGE}.focus()")
    chromium.press("ArrowLeft", "ArrowLeft", " ")
    assert told(chromium, "summary") != before
    chromium.press("5")
    assert comes(chromium, lambda: told(chromium, "title") == "Walkers")
    count = int(told(chromium, "summary").split()[0])
    chromium.tell(f"{STAGE}.focus()")
    chromium.press("ArrowUp", "Enter", " ")
    assert int(told(chromium, "summary").split()[0]) == count + 1
    # Tab reaches every control, and each has a name.
    controls = "[...document.querySelectorAll('a, button, input, select, canvas')]"
    named = "each.textContent.trim() || each.ariaLabel || each.labels?.length"
    assert chromium.tell(f"{controls}.length") > 10
    assert chromium.tell(f"{controls}.every((each) => each.tabIndex >= 0 && ({named}))")
    assert chromium.problems == []


def test_the_address_keeps_the_settings_and_what_it_does_not_know_is_left_out(chromium, address):
    chromium.open(f"{address}#temperature?a=1.5&t=99&b=no&x=%3Cb%3E", **STILL)
    shown = "[...document.querySelectorAll('#controls input')].map((each) => each.value)"
    assert chromium.tell(shown)[:3] == ["1.6", "1.5", "1.3"]
    move = """(() => { const slider = document.querySelectorAll('#controls input')[2];
        slider.value = 2; slider.dispatchEvent(new Event('input')); })()"""
    chromium.tell(move)
    assert chromium.tell("location.hash") == "#temperature?t=1.6&a=1.5&b=2"
    assert chromium.problems == []


def test_what_a_hand_draws_becomes_the_data_and_stays_in_the_address(chromium, address):
    chromium.open(f"{address}#shape", 400, 844, **STILL)
    box = chromium.tell(f"(({{ x, y }}) => [x, y])({STAGE}.getBoundingClientRect())")
    for kind, x in (("Pressed", 40), ("Moved", 70), ("Moved", 100), ("Released", 100)):
        chromium.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=box[0] + x,
                      y=box[1] + 100, button="left", buttons=1, clickCount=1)  # fmt: skip
    kept = chromium.tell("location.hash")
    strokes = re.fullmatch(r"#shape\?data=drawn&strokes=([\w-]+)", kept)[1]
    assert len(strokes) >= 6
    chromium.tell("ebmlab.steps(6)")
    assert "nats" in told(chromium, "summary")
    # The same drawing comes back from the address; words that spell none are left out.
    chromium.open(f"{address}{kept}", 400, 844, **STILL)
    assert chromium.tell("location.hash") == kept
    chromium.open(f"{address}#shape?data=drawn&strokes=%00%22!", 400, 844, **STILL)
    assert len(told(chromium, "summary")) > 40
    assert chromium.problems == []


def test_codes_collapse_without_a_cure_and_recover_with_one(chromium, address):
    """The rank of codes of the plane is 1 at a point and 2 where they fill it."""
    chromium.open(f"{address}#collapse", 400, 844, **STILL)

    def ranks(steps):
        chromium.tell(f"ebmlab.steps({steps})")
        return [float(each) for each in re.findall(r"rank (\d\.\d+)", told(chromium, "summary"))]

    assert len(ranks(1)) == 4
    assert max(ranks(79)) < 1.1
    chromium.tell("document.querySelector('#controls input[role=switch]').click()")
    assert min(ranks(400)) > 1.7


def test_films_are_those_that_other_programs_read(chromium, address):
    """Colors are kept to 5 bits a channel; the palette has one for each of a few."""
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 32, (60, 3)) * 8
    frames = colors[rng.integers(0, 60, (3, 70, 90))]
    whole = np.concatenate([frames, np.full((*frames.shape[:3], 1), 255)], -1).reshape(3, -1)
    chromium.open(address, **STILL)
    film = chromium.tell(f"""(() => {{
        const frames = {whole.tolist()}.map((data) =>
            ({{ width: 90, height: 70, data: Uint8ClampedArray.from(data) }}));
        return btoa([...ebmlab.gif(frames, 10)].map((byte) => String.fromCharCode(byte)).join(''));
    }})()""")
    with Image.open(io.BytesIO(base64.b64decode(film))) as read:
        assert (read.n_frames, read.size, read.info["duration"]) == (3, (90, 70), 100)
        for k in range(3):
            read.seek(k)
            shown = np.asarray(read.convert("RGB")).astype(int)
            assert abs(shown - frames[k]).max() <= 8
