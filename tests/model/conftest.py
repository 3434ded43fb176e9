import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]

import cache  # noqa: E402
import prompts  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def there_is_a_weir():
    if not Path(cache.WEIR).is_file():
        pytest.exit(f"no {cache.WEIR}: run script/build, or set WEIR", returncode=1)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """run(family, n): one fixture's dump of one prompt, made once a session"""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def get(family, n, hooks="*"):
        key = (family, n, hooks)
        if key not in made:
            made[key] = cache.dump(folder / f"{len(made)}.h5", cache.FIXTURES / family, [prompts.tokens(n)], hooks)
        return made[key]
    return get
