"""How people say the facts and the events of Craftax-Classic: wordings, to be put together by `data.grammar`.

Left, right, above and below are west, east, north and south.
"""

from oyster_jax.core.facts import SIDES
from oyster_jax.data.captions import Lexicon, Phrase
from oyster_jax.data.sources.craftax_facts import FACTS

_PLACES = {
    "left": ("to the left", "on the left", "to the west", "in the west", "on your left", "west of you", "left of me",
             "to my left", "on the left side", "on the left-hand side", "westwards", "on the west side", "at the left",
             "left of the player", "on the western side", "off to the left", "to the western side", "towards the west",
             "further west", "on my left", "leftwards", "over on the left", "to its left", "in the left part"),
    "right": ("to the right", "on the right", "to the east", "in the east", "on your right", "east of you",
              "right of me", "to my right", "on the right side", "on the right-hand side", "eastwards",
              "on the east side", "at the right", "right of the player", "on the eastern side", "off to the right",
              "to the eastern side", "towards the east", "further east", "on my right", "rightwards",
              "over on the right", "to its right", "in the right part"),
    "above": ("to the north", "in the north", "above", "north of you", "up north", "at the top", "above me",
              "northwards", "on the north side", "above the player", "above you", "in the upper part",
              "on the northern side", "towards the north", "upwards", "further north", "over to the north",
              "at the upper edge", "to the northern side", "on top", "up above", "off to the north"),
    "below": ("to the south", "in the south", "below", "south of you", "down south", "at the bottom", "below me",
              "southwards", "on the south side", "below the player", "beneath you", "in the lower part",
              "on the southern side", "towards the south", "downwards", "further south", "over to the south",
              "at the lower edge", "to the southern side", "down below", "underneath", "off to the south"),
    "around": ("all around", "on all sides", "everywhere around you", "in every direction", "around me", "around you",
               "on every side", "surrounding you", "all round", "wherever you look", "on all four sides"),
    "near": ("close by", "nearby", "near me", "very close", "right next to you", "close to the player", "near you",
             "a step or two away", "close to me", "within reach", "just beside you", "next to me", "not far from you",
             "close at hand", "beside the player", "a few steps away"),
    "in_view": ("in sight", "in view", "to be seen", "around here", "somewhere", "anywhere near", "within sight",
                "here", "in the picture", "on the screen", "around", "over there"),
}  # fmt: skip

_NOUNS = {
    "water": ("water", "a lake", "some water", "a pond", "the lake", "a small lake", "open water", "a body of water",
              "a blue lake", "lake water", "a river", "the water", "lots of water", "a large lake", "a deep lake",
              "water to drink", "a stretch of water", "a little pond", "fresh water"),
    "tree": ("trees", "some trees", "a few trees", "a group of trees", "woodland", "tall trees", "several trees",
             "a stand of trees", "green trees", "a tree", "the trees", "big trees", "tall green trees",
             "a row of trees", "a clump of trees", "many green trees", "a couple of trees", "trees growing"),
    "stone": ("stone", "rocks", "some stone", "rock", "stones", "a rock face", "grey stone", "rocky ground",
              "a stone wall", "stony ground", "a rock", "grey rocks", "the stone", "big rocks", "a cliff of stone",
              "solid rock", "bare rock", "a heap of stones", "stone blocks"),
    "sand": ("sand", "some sand", "a strip of sand", "sandy ground", "yellow sand", "a sandy shore", "a sand bank",
             "a patch of sand", "the sand", "a little sand", "sandy soil", "a sandy patch", "fine sand",
             "a stretch of sand", "loose sand", "a bank of sand"),
    "path": ("a tunnel", "a path", "tunnels", "a dark path", "a passage", "a cave passage", "a dug path", "paths",
             "dark tunnels", "the tunnel", "an open tunnel", "a tunnel in the rock", "the path", "a narrow path",
             "a dark passage", "a dug tunnel", "an open path"),
    "lava": ("lava", "some lava", "a lava pool", "hot lava", "a pool of lava", "glowing lava", "molten lava",
             "flowing lava", "the lava", "a lake of lava", "burning lava", "deadly lava", "a stream of lava",
             "red hot lava", "a little lava"),
    "coal": ("coal", "some coal", "a coal deposit", "coal ore", "a piece of coal", "a lump of coal", "black coal",
             "a coal vein", "the coal", "a bit of coal", "coal in the rock", "coal to mine", "a block of coal",
             "a vein of coal", "dark coal"),
    "iron": ("iron", "some iron", "iron ore", "an iron deposit", "a bit of iron", "an iron vein", "a piece of iron",
             "a lump of iron", "the iron", "iron in the rock", "iron to mine", "a block of iron", "a vein of iron",
             "a little iron", "iron ores"),
    "diamond": ("a diamond", "diamonds", "a shiny diamond", "some diamonds", "a white diamond", "a diamond ore",
                "a diamond deposit", "diamond", "the diamond", "a rare diamond", "a diamond vein",
                "a diamond in the rock", "one of the diamonds", "precious diamonds", "a diamond to mine"),
    "table": ("a table", "a crafting table", "the table", "a workbench", "a wooden table", "the crafting table",
              "a craft table", "one table", "a table to craft at", "a wooden workbench", "the workbench",
              "a bench for crafting", "a table for crafting", "some table"),
    "furnace": ("a furnace", "the furnace", "a stone furnace", "an oven", "a smelting furnace", "a hot furnace",
                "one furnace", "a furnace of stone", "a burning furnace", "the stone furnace", "the oven",
                "a furnace to smelt in"),
    "cow": ("a cow", "cows", "some cows", "a grazing cow", "cattle", "a brown cow", "a cow or more", "a peaceful cow",
            "the cow", "the cows", "one or more cows", "a few cows", "a cow grazing", "a herd of cows", "brown cows",
            "a spotted cow", "grazing cattle"),
    "zombie": ("a zombie", "zombies", "some zombies", "a green zombie", "a dangerous zombie", "the undead",
               "an angry zombie", "a zombie or more", "the zombie", "the zombies", "one or more zombies",
               "a few zombies", "a zombie lurking", "green zombies", "an undead monster", "a hungry zombie",
               "a walking dead"),
    "skeleton": ("a skeleton", "skeletons", "some skeletons", "a skeleton archer", "a bony skeleton",
                 "an armed skeleton", "a skeleton with a bow", "the skeleton", "the skeletons", "one or more skeletons",
                 "a few skeletons", "an archer", "skeletons with bows", "a skeleton lurking", "a white skeleton"),
}  # fmt: skip

_ONES = {
    "cow": ("cow", "grazing cow", "brown cow", "peaceful cow", "cow there", "spotted cow", "lonely cow"),
    "zombie": ("zombie", "green zombie", "dangerous zombie", "angry zombie", "zombie there", "hungry zombie",
               "undead monster"),
    "skeleton": ("skeleton", "skeleton archer", "bony skeleton", "skeleton there", "white skeleton", "archer"),
}  # fmt: skip
_MANY = {
    "cow": ("cows", "grazing cows", "brown cows", "peaceful cows", "head of cattle", "spotted cows", "cows there"),
    "zombie": ("zombies", "green zombies", "dangerous zombies", "angry zombies", "hungry zombies", "undead monsters"),
    "skeleton": ("skeletons", "skeleton archers", "bony skeletons", "armed skeletons", "white skeletons", "archers"),
}
_NUMBERS = {
    1: ("one", "a single", "exactly one", "only one", "just one", "1"),
    2: ("two", "2", "a pair of", "exactly two", "a couple of", "just two", "only two"),
    3: ("three", "3", "exactly three", "a trio of", "just three", "only three"),
}

_RULES: dict[str, tuple[str, ...]] = {
    # How a thing and its place are said.
    "placed": ("{thing} {place}", "{place} {there_is} {thing}", "{thing} lying {place}", "{place}, {thing}",
               "{thing} that you see {place}", "{there_is} {thing} {place}", "{thing} can be seen {place}",
               "{thing} is {place}", "{place} one sees {thing}", "you can see {thing} {place}",
               "to find {place}: {thing}", "{place} lies {thing}", "{thing}, {place}", "look {place}: {thing}",
               "{thing} found {place}", "{place} stands {thing}"),
    "placed_twice": ("{thing} {place} and {other_place}", "{place} and {other_place} {there_is} {thing}",
                     "{thing} both {place} and {other_place}", "{thing} {place} as well as {other_place}",
                     "{thing} {place}, also {other_place}", "{thing} on two sides, {place} and {other_place}",
                     "both {place} and {other_place} {there_is} {thing}", "{thing} {place} and also {other_place}"),
    "shown": ("{thing}", "{there_is} {thing}", "{thing} {in_view}", "{thing} can be seen", "you see {thing}",
              "with {thing}", "{thing} is there", "I see {thing}", "{thing} to be found", "also {thing}",
              "one sees {thing}"),
    "counted": ("{number} {kind}", "{there_is} {number} {kind}", "{number} {kind} {in_view}", "you see {number} {kind}",
                "with {number} {kind}", "{number} {kind} can be seen", "I see {number} {kind}", "{number} {kind} about",
                "also {number} {kind}"),
    "counted_placed": ("{number} {kind} {place}", "{place} {there_is} {number} {kind}", "{place}, {number} {kind}",
                       "{number} {kind} can be seen {place}", "{number} {kind} standing {place}",
                       "{number} {kind}, {place}", "{place} stand {number} {kind}",
                       "{there_is} {number} {kind} {place}", "you see {number} {kind} {place}"),
    "there_is": ("there is", "there are", "there's", "is", "lies"),
    "lacking": ("no {bare}", "no {bare} {in_view}", "without {bare}", "without any {bare}", "there is no {bare}",
                "not a trace of {bare}", "no sign of {bare}", "{bare} nowhere", "there are no {bare}", "not any {bare}",
                "lacking {bare}", "nowhere any {bare}", "free of {bare}", "{bare} cannot be seen"),
    # Sentences.
    "opening": ("there is", "a world with", "I see", "show me", "imagine", "a place with", "I want",
                "put me where there is", "let there be", "you see", "start with", "a scene with", "please give me",
                "give me", "make", "build me", "I would like", "a map with", "a land with", "take me to", "generate",
                "there should be", "now there is"),
    "joint": (", ", " and ", ", with ", "; ", ". ", ", and ", " with ", ". Also, ", " plus ", ", then ", ", also ",
              " and also ", ". And ", ", plus "),
    "closing": ("", ".", "!", " please", " ."),
    # Scenery.
    "meadow": ("a meadow", "open grassland", "wide grass", "a green field", "grass all around", "a wide meadow",
               "a grassy plain", "open grass", "green meadows", "grassland", "a lot of grass", "a grassy field",
               "a large meadow", "green grass everywhere", "fields of grass", "an open field", "a lawn"),
    "forest": ("a forest", "a dense forest", "many trees", "deep in the woods", "in a thick forest", "lots of trees",
               "a wood full of trees", "a wooded place", "woods", "the forest", "a big forest", "a green forest",
               "a thick wood", "among many trees", "plenty of trees", "a forest of tall trees"),
    "cave": ("a cave", "underground", "inside a mountain", "deep in a cave", "in a mine", "a mountain cave",
             "in the rock of a mountain", "a dark cave", "a rocky cave", "caves", "in a dark cave",
             "under the mountain", "inside the rock", "a mine", "a mountain of stone", "deep in the mountain"),
    "beach": ("a beach", "a wide beach", "a sandy beach", "a desert", "sand all over", "on a beach", "a lot of sand",
              "a desert of sand", "sandy land", "a desert place", "dunes", "a sea of sand", "sand everywhere",
              "the beach", "lots of sand", "a sandy desert"),
    # Time.
    "night": ("night", "at night", "it is night", "in the dark of night", "midnight", "darkness", "it is dark",
              "a dark night", "late at night", "at midnight", "by night", "nighttime", "night time", "during the night",
              "it is very dark", "the middle of the night", "a black night", "in darkness", "a starry night"),
    "twilight": ("dusk", "dawn", "twilight", "at dusk", "in the evening", "at dawn", "it is getting dark", "half dark",
                 "evening light", "sunset", "in the twilight", "early morning", "half light", "late evening",
                 "in the dusk", "in the dawn", "a dim evening", "the sun is setting", "before sunrise", "dim light",
                 "evening"),
    "day": ("day", "daytime", "in bright daylight", "by day", "a sunny day", "it is day", "at noon", "full daylight",
            "in broad daylight", "a bright day", "midday", "daylight", "during the day", "in the daytime",
            "a clear day", "bright light", "a light day", "the sun is shining", "sunshine", "in full daylight"),
    # Needs.
    "sleeping": ("asleep", "you are asleep", "sleeping", "the player sleeps", "while sleeping", "I am asleep",
                 "the player is sleeping", "you sleep", "the player is asleep", "fast asleep", "I am sleeping",
                 "taking a nap", "in deep sleep", "you are sleeping"),
    "healthy": ("full health", "healthy", "in good health", "you are healthy", "with full health", "at full health",
                "unhurt", "in perfect health", "in full health", "all health", "health is full",
                "nine points of health", "very healthy", "the player is healthy", "I am healthy", "fit and healthy"),
    "hurt": ("low health", "badly hurt", "little health left", "you are badly hurt", "health is low", "wounded",
             "almost dead", "with low health", "the player is hurt", "injured", "badly injured", "with little health",
             "nearly dead", "I am hurt", "low on health", "close to death", "hardly any health", "badly wounded"),
    "hungry": ("hungry", "you are hungry", "starving", "with little food", "I am hungry", "low on food", "very hungry",
               "the player is hungry", "in need of food", "food is low", "little food left", "need to eat", "famished",
               "with an empty stomach", "you are starving", "almost starving"),
    "thirsty": ("thirsty", "you are thirsty", "in need of a drink", "dying of thirst", "I am thirsty", "very thirsty",
                "low on drink", "the player is thirsty", "need to drink", "drink is low", "little to drink left",
                "dried out", "parched", "you are very thirsty", "in need of water", "with a dry throat"),
    "tired": ("tired", "you are tired", "exhausted", "low on energy", "I am tired", "very tired", "sleepy",
              "the player is tired", "with little energy", "energy is low", "in need of sleep", "worn out",
              "need to sleep", "you are exhausted", "little energy left", "weary", "dead tired"),
    # Things.
    "empty_handed": ("empty hands", "with an empty inventory", "carrying nothing", "you have nothing", "empty-handed",
                     "with nothing at all", "I carry nothing", "an empty inventory", "the inventory is empty",
                     "nothing in the inventory", "nothing in your hands", "carrying nothing at all", "no items",
                     "without any items", "you carry nothing", "bare hands"),
    "unarmed": ("no sword", "without a sword", "unarmed", "you have no sword", "without any weapon", "weaponless",
                "no weapon in hand", "no sword in the inventory", "you carry no sword", "without a weapon", "not armed",
                "no weapons", "no sword at all", "I have no sword"),
    "carried": ("{item} in the inventory", "you carry {item}", "carrying {item}", "I have {item}",
                "with {item} in my bag", "the player has {item}", "you have {item}", "holding {item}",
                "equipped with {item}", "{item} in your inventory", "I own {item}", "in the bag {item}",
                "{item} in hand", "{item} in my inventory", "having {item}", "owning {item}",
                "the inventory holds {item}", "the player carries {item}", "I carry {item}", "with {item}"),
    "much": ("a lot of", "much", "plenty of", "lots of", "a stack of", "a pile of", "a big pile of",
             "a large amount of", "many pieces of", "a big stack of", "quite a lot of", "loads of"),
    "some": ("some", "a bit of", "a little", "a piece of", "pieces of", "a few pieces of", "a small amount of",
             "one piece of", "a bit more of"),
    "arrow_here": ("an arrow in flight", "a flying arrow", "an arrow in the air", "arrows flying", "an arrow flies by",
                   "arrows in the air", "flying arrows", "an arrow", "an arrow flying", "arrows", "an arrow that flies",
                   "a shot arrow", "an arrow on its way"),
    "plant_here": ("a planted sapling", "a growing sapling", "a young plant", "a sapling in the ground",
                   "a plant growing", "a sapling that was planted", "a growing plant", "a sapling growing",
                   "a small plant", "a sapling", "a plant", "a little plant growing", "a planted plant"),
    "alone": ("no creatures", "nobody around", "no animals and no monsters", "all alone", "no living thing in sight",
              "you are alone", "without any creatures", "nothing alive", "no animals", "no monsters", "nobody",
              "no one around", "nobody else", "no creature in sight", "completely alone", "empty of creatures"),
    **_PLACES,
    **{f"some_{name}": wordings for name, wordings in _NOUNS.items()},
    **{f"one_{name}": wordings for name, wordings in _ONES.items()},
    **{f"many_{name}": wordings for name, wordings in _MANY.items()},
    **{f"number_{count}": wordings for count, wordings in _NUMBERS.items()},
    "bare_water": ("water", "lake", "pond", "lakes", "open water"),
    "bare_tree": ("trees", "tree", "woods", "forest", "trees at all"),
    "bare_stone": ("stone", "rocks", "stones", "rock"),
    "bare_cow": ("cow", "cows", "cattle", "cows at all"),
    "bare_zombie": ("zombie", "zombies", "undead", "zombies at all"),
    "bare_skeleton": ("skeleton", "skeletons", "archers", "skeletons at all"),
    **{f"item_{name}": (f"{{some}} {name}", name) for name in ("wood", "stone", "coal", "iron")},
    "item_diamond": ("a diamond", "diamonds", "some diamonds", "a shiny diamond"),
    "item_sapling": ("a sapling", "saplings", "some saplings", "a young tree to plant"),
    **{
        f"item_{material}_{tool}": (f"{article} {said} {tool}", f"{article} {tool} of {material}", f"my {said} {tool}")
        for tool in ("pickaxe", "sword")
        for material, article, said in (("wood", "a", "wooden"), ("stone", "a", "stone"), ("iron", "an", "iron"))
    },
    "item_much_wood": ("{much} wood", "five pieces of wood", "more than enough wood", "a big pile of wood"),
    "item_much_stone": ("{much} stone", "five stones", "more than enough stone", "a big pile of stone"),
}  # fmt: skip

#: Facts that are said in their own words.
_OWN = ("meadow", "forest", "cave", "beach", "night", "twilight", "day", "sleeping", "healthy", "hurt", "hungry",
        "thirsty", "tired", "empty_handed", "unarmed", "arrow_here", "plant_here", "alone")  # fmt: skip


def _phrases() -> dict[str, Phrase]:
    found = {name: Phrase(symbol=name) for name in _OWN}
    for fact in FACTS:
        topic, _, last = fact.name.rpartition("_")
        if fact.name in _OWN:
            continue
        if topic == "has" or fact.name.split("_")[0] in ("has", "much"):
            item = fact.name.removeprefix("has_")
            found[fact.name] = Phrase(symbol="carried", bindings={"item": f"item_{item}"})
        elif last == "none":
            found[fact.name] = Phrase(symbol="lacking", bindings={"bare": f"bare_{topic}"})
        elif last == "here":
            found[fact.name] = Phrase(symbol="shown", bindings={"thing": f"some_{topic}"})
        elif last.isdigit():
            kind = f"{'one' if last == '1' else 'many'}_{topic}"
            found[fact.name] = Phrase(symbol="counted", bindings={"number": f"number_{last}", "kind": kind})
        else:
            found[fact.name] = Phrase(symbol="placed", bindings={"thing": f"some_{topic}", "place": last})
    return found


_EVENT_RULES: dict[str, tuple[str, ...]] = {
    "night_falls": ("night falls", "it gets dark", "let night fall", "make it night", "the sun sets",
                    "it becomes night", "darkness falls", "turn day into night", "the night begins", "let it be night",
                    "bring the night", "let it get dark", "nightfall", "make it dark", "it is night now",
                    "the day ends", "turn it to night", "the light fades", "night comes"),
    "day_breaks": ("day breaks", "the sun rises", "let there be daylight", "make it day", "it becomes day",
                   "the morning comes", "it gets light", "turn night into day", "the day begins", "let it be day",
                   "the night ends", "bring back the day", "daybreak", "sunrise", "let the sun rise", "make it light",
                   "it is day now", "morning breaks", "turn it to day", "day comes", "the night is over"),
    "appears": ("a {creature} appears {place}", "spawn a {creature} {place}", "a {creature} comes {place}",
                "let a {creature} appear {place}", "put a {creature} {place}", "{place} appears a {creature}",
                "place a {creature} {place}", "a {creature} shows up {place}", "add a {creature} {place}",
                "suddenly a {creature} {place}", "make a {creature} appear {place}", "a new {creature} {place}",
                "{place} a {creature} shows up", "create a {creature} {place}", "{place} comes a {creature}",
                "a {creature} arrives {place}", "summon a {creature} {place}", "a {creature} pops up {place}",
                "bring a {creature} {place}", "I want a {creature} {place}", "a {creature} steps in {place}",
                "there is a {creature} {place} now"),
    "dies": ("the {creature} dies", "kill the {creature}", "a {creature} dies", "the {creature} drops dead",
             "let the {creature} die", "the {creature} is dead", "the {creature} is killed", "remove the {creature}",
             "the {creature} vanishes", "make the {creature} die", "slay the {creature}", "get rid of the {creature}",
             "the {creature} disappears", "death of the {creature}", "the {creature} falls dead",
             "let the {creature} be killed", "destroy the {creature}", "the {creature} should die",
             "take the {creature} away", "the {creature} is gone", "no more {creature}"),
    "a_cow": ("cow", "brown cow", "grazing cow", "spotted cow"),
    "a_zombie": ("zombie", "green zombie", "hungry zombie", "angry zombie"),
    "arrows_rain": ("rain of arrows", "it rains arrows", "arrows rain down", "arrows fall from the sky",
                    "let arrows rain", "a hail of arrows", "make it rain arrows", "arrows everywhere",
                    "a shower of arrows", "arrows come down", "let it rain arrows", "arrows from above",
                    "it hails arrows", "a storm of arrows", "arrows rain from the sky", "raining arrows",
                    "arrows start to fall", "a volley of arrows"),
    "given": ("give the player {gift}", "give me {gift}", "the player gets {gift}", "hand the player {gift}",
              "I get {gift}", "the player receives {gift}", "put {gift} into the inventory", "the player finds {gift}",
              "add {gift} to the inventory", "let the player have {gift}", "grant me {gift}", "you get {gift}",
              "{gift} for the player", "{gift} for me", "I find {gift}", "now I have {gift}", "let me have {gift}",
              "bring me {gift}", "the player now has {gift}", "give {gift} to the player", "I want {gift}"),
    "gift_sword": ("a sword", "a new sword", "a sharp sword", "the sword", "a blade", "one sword", "a wooden sword",
                   "a sword to fight with"),
    "gift_pickaxe": ("a pickaxe", "a new pickaxe", "the pickaxe", "a pick", "a pickaxe to dig with", "one pickaxe",
                     "a wooden pickaxe", "a pickaxe for mining"),
    "gift_wood": ("wood", "some wood", "a piece of wood", "a log of wood", "more wood", "a bit of wood",
                  "wood to build with", "one wood", "a log"),
    "gift_sapling": ("a sapling", "a new sapling", "some saplings", "the sapling", "a young tree to plant",
                     "one sapling", "a sapling to plant", "a little sapling"),
    "healed": ("heal the player", "the player is healed", "restore health", "give me full health", "heal me",
               "the wounds close", "make the player healthy", "the player recovers", "fill up the health",
               "cure the player", "I feel well again", "full health for the player", "make me healthy",
               "give the player full health", "health is restored", "I am healed", "all wounds heal",
               "let the player recover", "let me recover"),
    "hurt_event": ("hurt the player", "the player is hurt", "take away health", "the player loses health", "hurt me",
                   "wound the player", "damage the player", "the player gets hurt", "the player is wounded",
                   "I lose health", "injure the player", "make the player lose health", "I get hurt",
                   "take health from me", "the player is injured", "hit the player", "strike the player",
                   "let the player be hurt", "cost me health"),
    "ahead_event": ("{block} appears {ahead}", "put {block} {ahead}", "place {block} {ahead}", "{block} grows {ahead}",
                    "let {block} appear {ahead}", "{ahead} appears {block}", "create {block} {ahead}",
                    "make {block} {ahead}", "{block} shows up {ahead}", "set {block} {ahead}", "{ahead} stands {block}",
                    "{block} comes up {ahead}", "put down {block} {ahead}", "I want {block} {ahead}",
                    "there is {block} {ahead} now", "build {block} {ahead}", "{block} {ahead}"),
    "ahead": ("in front of the player", "ahead", "in front of me", "before the player", "straight ahead", "in front",
              "right in front of you", "where the player looks", "ahead of me", "before me", "right ahead",
              "directly in front", "in front of us", "just ahead", "right before me", "straight in front of me"),
    "block_tree": ("a tree", "the tree", "one tree", "a new tree", "a tall tree", "a green tree", "another tree"),
    "block_water": ("water", "some water", "a pool of water", "a pond", "a puddle", "a water tile", "a little water"),
    "block_stone": ("stone", "a rock", "a stone block", "a block of stone", "a stone", "some stone", "a rock to mine",
                    "one stone"),
    "block_table": ("a table", "a crafting table", "a workbench", "the crafting table", "one table", "a wooden table",
                    "a crafting bench"),
}  # fmt: skip

_EVENTS: dict[str, Phrase] = {
    "night_falls": Phrase(symbol="night_falls"),
    "day_breaks": Phrase(symbol="day_breaks"),
    **{
        f"{name}_{side}": Phrase(symbol="appears", bindings={"creature": f"a_{name}", "place": side})
        for name in ("zombie", "cow")
        for side in SIDES
    },
    **{f"{name}_dies": Phrase(symbol="dies", bindings={"creature": f"a_{name}"}) for name in ("cow", "zombie")},
    "arrows_rain": Phrase(symbol="arrows_rain"),
    **{
        f"{name}_given": Phrase(symbol="given", bindings={"gift": f"gift_{name}"})
        for name in ("sword", "pickaxe", "wood", "sapling")
    },
    "healed": Phrase(symbol="healed"),
    "hurt": Phrase(symbol="hurt_event"),
    **{
        f"{name}_ahead": Phrase(symbol="ahead_event", bindings={"block": f"block_{name}"})
        for name in ("tree", "water", "stone", "table")
    },
}

#: Facts and events of Craftax-Classic with their wordings.
LEXICON = Lexicon(facts=FACTS, phrases=_phrases(), events=_EVENTS, rules=_RULES | _EVENT_RULES)
