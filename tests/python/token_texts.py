"""Texts to tokenize: random ones over all of Unicode by class, real ones in many scripts, source code, edge cases."""
import functools
import itertools
import pathlib
import random
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Article 1 of the Universal Declaration of Human Rights
SCRIPTS = {
    "latin": "All human beings are born free and equal in dignity and rights. They're endowed with reason, aren't they?",
    "vietnamese": "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.",
    "greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "cyrillic": "Все люди рождаются свободными и равными в своём достоинстве и правах.",
    "armenian": "Բոլոր մարդիկ ծնվում են ազատ ու հավասար իրենց արժանապատվությամբ ու իրավունքներով։",
    "georgian": "ყველა ადამიანი იბადება თავისუფალი და თანასწორი თავისი ღირსებითა და უფლებებით.",
    "hebrew": "כָּל בְּנֵי הָאָדָם נוֹלְדוּ בְּנֵי חוֹרִין וְשָׁוִים בְּעֶרְכָּם וּבִזְכֻיּוֹתֵיהֶם.",
    "arabic": "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق، وقد وُهبوا عقلًا وضميرًا ١٢٣٤.",
    "persian": "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند ۱۲۳.",
    "devanagari": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। १२३",
    "bengali": "সমস্ত মানুষ স্বাধীনভাবে সমান মর্যাদা এবং অধিকার নিয়ে জন্মগ্রহণ করে।",
    "tamil": "மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும் உரிமைகளிலும் சமமானவர்கள்.",
    "telugu": "ప్రతిపత్తిస్వత్వముల విషయమున మానవులెల్లరును జన్మతః స్వతంత్రులును సమానులును నగుదురు.",
    "thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "lao": "ມະນຸດທຸກຄົນເກີດມາມີກຽດສັກສີ ແລະ ສິດທິທີ່ເທົ່າທຽມກັນ.",
    "tibetan": "འགྲོ་བ་མིའི་རིགས་རྒྱུད་ཡོངས་ལ་སྐྱེས་ཙམ་ཉིད་ནས་ཆེ་མཐོངས་དང༌།",
    "khmer": "មនុស្សទាំងអស់កើតមកមានសេរីភាព និងភាពស្មើៗគ្នា ក្នុងសិទ្ធិ និងសេចក្ដីថ្លៃថ្នូរ។",
    "amharic": "የሰው ልጅ ሁሉ ሲወለድ ነጻና በክብርና በመብትም እኩልነት ያለው ነው።",
    "korean": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    "korean decomposed": unicodedata.normalize("NFD", "모든 인간은 태어날 때부터 자유로우며"),
    "japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。ｶﾀｶﾅ",
    "chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。２０２４年",
    "mongolian": "ᠬᠦᠮᠦᠨ ᠪᠦᠷ ᠲᠥᠷᠥᠵᠦ ᠮᠡᠨᠳᠡᠯᠡᠬᠦ ᠡᠷᠬᠡ\u180eᠴᠢᠯᠥᠭᠡ",
    "gothic": "𐌼𐌰𐌲 𐌲𐌻𐌴𐍃 𐌹̈𐍄𐌰𐌽, 𐌽𐌹 𐌼𐌹𐍃 𐍅𐌿 𐌽𐌳𐌰𐌽 𐌱𐍂𐌹𐌲𐌲𐌹𐌸.",
    "cherokee": "ᏂᎦᏓ ᎠᏂᏴᏫ ᏂᎨᎫᏓᎸᎾ ᎠᎴ ᎤᏂᏠᏱ ᎤᎾᏕᎿ ᏚᏳᎧᏛ ᎨᏒᎢ",
    "emoji": "👩‍👩‍👧‍👦 ❤️‍🔥 🏳️‍🌈 👍🏽 🇩🇪🇫🇷 1️⃣ #️⃣ 🧑🏿‍🚀x🫠",
}

EDGE_CASES = [
    "", " ", "  ", "   ", "\n", "\r\n", "\r", "\n\n", "\n \n", " \n ", "\t", "\t\t x", "\0", "a\0b", "\x01\x7f\x80\x9f",
    "\x85", "a\x85b", "\xa0", "a\xa0\xa0b", "\u180e", "a \u180e b", "\u2028\u2029", "x\u2028 y", "\ufeff", "\ufeffBOM",
    "\u200b", "a\u200bb", "\u200c\u200d", "\u3000", "a\u3000\u3000b", "\u2007\u202f", "\x1c\x1d\x1e\x1f", "\x0b\x0c",
    "'s", "'S", "'\u017f", "'\u017fx", "it's IT'S it\u2019s 'll 'LL 'lL 're 'VE 'd'D'm'M't'T", "'l\u212a", "\u212a\u017f",
    "1", "12", "123", "1234", "12345678901234567890", "1,234.5", "\u00b2\u00b3\u00b9\u00bc\u00bd\u00be", "\u2160\u2167",
    "\u0661\u0662\u0663\u0664", "\U00011de0\U00011de9", "\U00016ff4", "x\U00011de1y", "a1b2c3", "3.14e-10", "0x1F",
    "e\u0301", "\u00e9", "a\u0323\u0307", "a\u0307\u0323", "q\u0307\u0323", "\u1e9b\u0323", "\ufb01", "\u212b\u2126",
    "\u0344", "\u0958", "\ufb1d", "\u1100\u1161\u11a8", "\uac00\u11a8", "\uac01\u11a8", "\u0f77", "\u0301a", "\u0301\u0323",
    "\U0001d15e", "\u2adc", "\u09c7\u09be", "\U00011938", "\U00011935\U00011930", "\u32ff", "\ua7f2", "\U00010781",
    "\U0001dfff", "\u0378", "\u0378\u0379", "\U000e0001", "\U000e0100", "\ue000", "\U000f0000", "\U0010ffff", "\ufffe",
    "\uffff", "\ufffd", "\u0487", "\u1dfa", "a\u1dfa\u0316", "a\u0316\u1dfa", "\u16ff0", "a\U00016ff0\u0334",
    "<|endoftext|>", "a<|endoftext|>b", "<|endoftext|><|endoftext|>", " <|endoftext|> ", "<|endoftext|", "<s>", "</s> x",
    "<unk>", "[X]", "a[X]b", " [X] ", "[X][X]", "\n[X]\t", "<a>", "x<a>y", "x <a> y", "<a>\u00b2", "\u200d<a>",
    "\u00e9<a>", "<b>", "  <b>  x", "<b> <b>", "<c>", "  <c>  x", "<c> <c> ", "<d>caf\u00e9", "caf\u00e9", "cafe\u0301",
    "\u2581", "\u2581\u2581a", " \u2581 ", "a\u2581b", "<0x41>", "<0x0A>", "\u2581<0x41>", "a" * 300, " " * 300, "\n" * 300,
    "ab" * 300, "\u6f22" * 300, " a" * 300, "!" * 300, "\U0001f600" * 60, "a\u0301" * 100, "\u0301" * 300, "==" * 60,
    "don't", "DON'T", "y'all'd've", "''''s", "' s", " 's", "--", "...", "\u2026", "http://x.y/z?a=b&c=d#e", "C:\\path\\n",
    "foo_bar", "fooBar", "FOO_BAR2", "#include <a.h>\r\n\tint x;\r\n", "\\u0041", "$^*+?.()[]{}|", "`~", "^_^", "\u00ad",
]

# one of each: unlike in kind for some stage
SPECIAL = " \n\r\t'.,_-12sStT\u00a0\u0085\u180e\u2028\u3000\u200d\ufe0f\u0301\u0323\u00b2\u2160\u017f\u212a\u2581\u00e9\u00df"


@functools.cache
def by_class():
    classes = {}
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            continue
        category = unicodedata.category(chr(c))
        if category in ("Co", "Cn") and c % 61:  # there are very many of these
            continue
        classes.setdefault(category, []).append(chr(c))
    return classes


def random_texts(n, seed=1):
    """Runs of characters of one class, mixed with ASCII words and the characters that stages treat specially."""
    rng = random.Random(seed)
    classes = by_class()
    names = sorted(classes)
    words = "the of and Hello WORLD isn't we'll I'd 'S it's 42 1999 foo_bar x1y2 don't-stop e.g. C++ <|endoftext|> [X] <a> <b> <c>".split()

    def run():
        kind = rng.random()
        if kind < 0.3:
            chars = classes[rng.choice(names)]
            near = rng.randrange(len(chars))  # neighbours: of one script
            return "".join(chars[(near + rng.randrange(12)) % len(chars)] for _ in range(rng.randint(1, 5)))
        if kind < 0.45:
            return "".join(rng.choice(classes[rng.choice(names)]) for _ in range(rng.randint(1, 4)))
        if kind < 0.65:
            return rng.choice(words)
        if kind < 0.8:
            return rng.choice(SPECIAL) * rng.choice((1, 1, 1, 2, 3))
        if kind < 0.9:
            return rng.choice((" ", " ", "  ", "\n", " \n", "\r\n", "\t", "   "))
        return chr(rng.choice((rng.randrange(0x20, 0x250), rng.randrange(0x300, 0x3000), rng.randrange(0x10000, 0x20000))))

    return ["".join(run() for _ in range(rng.randint(1, 9))) for _ in range(n)]


def source_code():
    files = sorted(ROOT.glob("lib/**/*.[ch]")) + sorted(ROOT.glob("tests/python/*.py")) + sorted(ROOT.glob("**/meson.build"))
    texts = []
    for file in files:
        if file.name == "unicode_tables.c":
            continue
        lines = file.read_text().splitlines(keepends=True)
        texts += ["".join(lines[i:i + 8]) for i in range(0, len(lines), 8)]
    return texts


def every_character():
    """Each code point once, between letters and beside the next; also with no letters around."""
    codes = [c for c in range(0x30000) if not 0xD800 <= c < 0xE000] + list(range(0xE0000, 0xE0200))
    return ["a".join(map(chr, codes[i:i + 24])) for i in range(0, len(codes), 24)] + \
           ["".join(map(chr, codes[i:i + 48])) for i in range(0, len(codes), 48)]


def products(words, most):
    """Every sequence of one to `most` of them."""
    return [c for n in range(1, most + 1) for c in itertools.product(words, repeat=n)]


@functools.cache
def all_texts():
    scripts = list(SCRIPTS.values())
    scripts += [t[i:] for t in scripts for i in range(1, 9)] + [t.upper() for t in scripts]
    return EDGE_CASES + scripts + source_code() + every_character() + random_texts(14000)


@functools.cache
def corpus():
    """What the tokenizers of these tests are trained on."""
    return list(SCRIPTS.values()) * 2 + source_code()[:800] + random_texts(1500, seed=2)
