"""Which classes of the Semantic Hearing set's ``bg_scaper_fmt`` the DCASE 2026 Task 4 set has as interference."""

from __future__ import annotations

__all__ = ["INTERFERENCE_CLASSES"]

_NAMES = """
Air conditioning; Aircraft; Bird flight, flapping wings; Bleat; Boiling; Boom; Burping, eructation; Burst, pop; Bus
Camera; Car passing by; Cattle, bovinae; Chainsaw; Chewing, mastication; Chink, clink; Clip-clop; Cluck; Clunk
Coin (dropping); Crack; Crackle; Creak; Croak; Crow; Crumpling, crinkling; Crushing; Drill; Drip
Electric toothbrush; Engine; Fart; Finger snapping; Fire; Fire alarm; Firecracker; Fireworks
Fixed-wing aircraft, airplane; Frog; Gears; Growling; Gurgling; Helicopter; Hiss; Hoot; Howl; Howl (wind); Jackhammer
Keys jangling; Lawn mower; Light engine (high frequency); Microwave oven; Moo; Oink; Packing tape, duct tape; Pig
Printer; Purr; Rain; Rain on surface; Raindrop; Ratchet, pawl; Rattle; Sanding; Sawing; Scissors; Screech; Sheep
Ship; Shuffling cards; Skateboard; Slam; Sliding door; Sneeze; Sniff; Snoring; Splinter; Squeak; Stream
Subway, metro, underground; Tap; Tearing; Thump, thud; Tick; Tick-tock; Toothbrush; Traffic noise, roadway noise
Train; Train horn; Velcro, hook and loop fastener; Waterfall; Whoosh, swoosh, swish; Wind; Writing
Zipper (clothing)
"""
INTERFERENCE_CLASSES = tuple(name.strip() for name in _NAMES.replace("\n", ";").split(";") if name.strip())
"""Folder names, sorted."""
