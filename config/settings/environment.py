"""Where the project lies, and the environment that every settings module reads."""

from pathlib import Path

from environs import Env

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = Env()
if env.bool("READ_DOT_ENV", True):
    env.read_env(str(BASE_DIR / ".env"), recurse=False)
