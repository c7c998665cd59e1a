"""What the demo shop sells: the international code of signals. Letter, slug, meaning, price."""

from __future__ import annotations

from typing import NamedTuple


class Flag(NamedTuple):
    letter: str
    name: str
    meaning: str
    price: str

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")

    @property
    def sku(self) -> str:
        return f"BUN-{self.letter or self.slug.partition('-')[0]}"


FLAGS = [
    Flag("A", "Alfa", "There is a diver under water here: keep away, and be slow.", "19.50"),
    Flag("B", "Bravo", "I carry, load or unload dangerous goods.", "17.00"),
    Flag("C", "Charlie", "Yes.", "21.00"),
    Flag("D", "Delta", "Keep clear of me: I manoeuvre with difficulty.", "18.00"),
    Flag("E", "Echo", "I am turning to starboard.", "16.50"),
    Flag("F", "Foxtrot", "I am disabled: talk to me.", "19.00"),
    Flag("G", "Golf", "I need a pilot.", "23.50"),
    Flag("H", "Hotel", "I have a pilot on board.", "16.50"),
    Flag("I", "India", "I am turning to port.", "18.50"),
    Flag("J", "Juliett", "I am on fire, with dangerous goods on board: keep clear.", "18.00"),
    Flag("K", "Kilo", "I wish to talk to you.", "16.50"),
    Flag("L", "Lima", "Stop your ship at once.", "19.00"),
    Flag("M", "Mike", "My ship is stopped and makes no way.", "19.50"),
    Flag("N", "November", "No.", "26.00"),
    Flag("O", "Oscar", "Somebody has fallen overboard.", "17.50"),
    Flag("P", "Papa", "Everybody on board: we are about to sail.", "18.50"),
    Flag("Q", "Quebec", "All are healthy here, and I ask to enter the port.", "14.00"),
    Flag("R", "Romeo", "No meaning when flown alone; sailors agree on one.", "19.00"),
    Flag("S", "Sierra", "My engines are going astern.", "18.50"),
    Flag("T", "Tango", "Keep clear of me: I am trawling in a pair.", "18.00"),
    Flag("U", "Uniform", "You are running into danger.", "19.00"),
    Flag("V", "Victor", "I need help.", "19.50"),
    Flag("W", "Whiskey", "I need medical help.", "21.50"),
    Flag("X", "X-ray", "Stop what you are about to do, and watch for my signals.", "19.00"),
    Flag("Y", "Yankee", "My anchor is dragging.", "24.50"),
    Flag("Z", "Zulu", "I need a tug.", "22.50"),
    Flag("", "Answering pennant", "I have read your signal.", "15.00"),
    Flag("", "First substitute", "Says the first flag of this hoist once more.", "13.50"),
]

COMMENTS = [
    ("sierra", "ada", "Flew through a whole winter and is as blue as on the first day."),
    ("sierra", "grace", "Larger than I thought. I had to move the mast."),
    ("november", "grace", "My children answer every question with this now."),
    ("quebec", "ada", "Very yellow. Very good."),
    ("quebec", "grace", "BUY CHEAP FLAGS AT A BETTER SHOP, ASK ME HOW!!!"),
    ("victor", "ada", "Was helped within the hour. Recommended."),
]
