"""Sentences that say nothing of a world, and slips of the hand, so that a text encoder learns to be told so."""

import random

#: Things that worlds of tiles do not have; those of the second tuple are never used in training.
FOREIGN = (
    "dragon", "castle", "car", "spaceship", "computer", "unicorn", "robot", "elephant", "pizza", "guitar", "king",
    "bridge", "train", "wizard", "princess", "volcano", "house", "horse", "dog", "bird", "fish", "pirate", "ship",
    "airplane", "teacher", "book", "phone", "city", "street", "church", "tower", "bicycle", "banana", "apple", "wolf",
    "bear", "snake", "shark", "witch", "ghost", "alien", "rocket", "planet", "moon landing", "football", "piano",
    "cake",
    "bread", "coffee", "gun", "bomb", "helmet", "shield", "potion", "gold", "ruby", "emerald", "chest", "door",
    "window",
    "garden", "flower", "rose", "rabbit", "chicken", "pig", "sheep", "cat", "spider", "bee", "crocodile", "penguin",
)  # fmt: skip
UNUSED_FOREIGN = (
    "giraffe", "submarine", "violin", "queen", "tractor", "lion", "museum", "helicopter", "monkey", "cinema", "vampire",
    "laptop", "octopus", "burger", "temple", "parrot",
)  # fmt: skip

_FRAMES = (
    "a {thing} {place}", "a {thing} appears {place}", "show me a {thing}", "the {thing} {verb}",
    "give the player a {thing}",
    "I want a {thing} and a {thing}", "a {thing}", "what is a {thing}?", "the {thing} is {colour}",
    "{verb} the {thing}",
    "there is a {thing} {place}", "two {thing}s", "no {thing}s", "make a {thing} appear {place}", "it rains {thing}s",
    "tell me about the {thing}", "the {thing} gets {colour}", "{word} {word} {word}", "{word}", "hello",
    "please {verb}",
    "put a {thing} in front of me", "a {colour} {thing} with a {thing}", "how are you today", "who are you",
    "the player {verb}",
)  # fmt: skip
_SLOTS = {
    "place": ("here", "at home", "in town", "over there", "to the left", "to the right", "on the left", "above",
              "below",
              "nearby", "in the north", "in the south", "to the west", "to the east", "ahead"),
    "verb": ("sings", "dances", "sleeps well", "explodes", "laughs", "jumps", "flies away", "sells", "paints", "reads",
             "writes", "wins", "opens", "closes", "talks", "drives"),
    "colour": ("red", "purple", "pink", "orange", "golden", "silver", "huge", "tiny", "expensive", "famous"),
}  # fmt: skip


def foreign_sentence(generator: random.Random, things: tuple[str, ...] = FOREIGN) -> str:
    """Returns a sentence about things that no world of tiles has, or one of no words at all."""
    parts = generator.choice(_FRAMES).split("{")
    text = parts[0]
    for part in parts[1:]:
        slot, _, rest = part.partition("}")
        if slot == "thing":
            said = generator.choice(things)
        elif slot == "word":
            said = "".join(generator.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(generator.randint(2, 9)))
        else:
            said = generator.choice(_SLOTS[slot])
        text += said + rest
    return text


def mistyped(text: str, generator: random.Random, share: float = 0.03) -> str:
    """Returns a text of which a share of the words has a letter too many, too few, wrong or in another place."""
    words = text.split(" ")
    for number, word in enumerate(words):
        if len(word) < 4 or generator.random() >= share:
            continue
        at = generator.randrange(1, len(word) - 1)
        letter = generator.choice("abcdefghijklmnopqrstuvwxyz")
        words[number] = generator.choice((
            word[:at] + letter + word[at:],
            word[:at] + word[at + 1 :],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ))  # fmt: skip
    return " ".join(words)
