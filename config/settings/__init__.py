"""The settings: local ones under this name, servers name `config.settings.production`.

Importing `config.settings.production` or `.test` runs this file first (it is their package),
so the local settings load only where this name itself was asked for.
"""

import os

if os.environ.get("DJANGO_SETTINGS_MODULE", "config.settings") == "config.settings":
    from config.settings.local import *  # noqa: F403 (a settings module is a namespace)
