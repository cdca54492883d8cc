"""Programs, services and devices that people ask about by name.

"How do I reset my iPhone?" has the words of many a manual in it, and static vectors see those. The
name says that it is about something else, unless a passage speaks of it as well.
"""

import re
from collections.abc import Iterable

# What may stand for a name in a document: "phone" for an iPhone, "database" for MySQL.
_GENERAL = {
    "phone phones smartphone smartphones mobile tablet tablets ios apple": (
        "android iphone ipad samsung"
    ),
    "computer computers desktop pc pcs window": "laptop mac macos windows",
    "browser browsers": "chrome firefox safari",
    "print printing printed": "printer",
    "network networks": "bluetooth router wifi",
    "database databases": "cassandra elasticsearch mariadb mongodb mysql",
    "queue queues broker brokers": "kafka rabbitmq",
    "language languages": "css javascript kotlin php",
    "model models llm llms": "chatgpt claude copilot gemini gpt",
    "messenger messengers": "discord skype slack telegram whatsapp",
    "social sso oauth saml": "facebook instagram linkedin twitter",
    "spreadsheet spreadsheets xls xlsx": "excel",
    "presentation presentations slides pptx": "powerpoint",
    "cloud clouds s3": "amazon aws azure dropbox icloud onedrive",
    "container containers k8s helm": "kubernetes openshift",
    "wiki wikis": "confluence",
    "editor editors": "vim vscode xcode",
}
# No word that people use for something else ("zoom", "notion", "stripe"), and no protocol.
_OTHERS = """
    airpods alexa ansible asana autocad bitbucket bitcoin cisco cloudflare cortana drupal ethereum
    figma firebase fortnite freshdesk git github gitlab gmail heroku hubspot illustrator intercom
    jenkins jira joomla jquery laravel magento mailchimp matlab minecraft netflix netlify nintendo
    onenote outlook paypal photoshop pinterest playstation powerbi quickbooks reddit salesforce sap
    sharepoint shopify siri snapchat splunk spotify squarespace supabase tableau terraform tiktok
    trello vercel virtualbox vmware wix woocommerce wordpress xbox youtube zendesk
"""
_NAMES: dict[str, frozenset[str]] = {
    **{name: frozenset() for name in _OTHERS.split()},
    **{
        name: frozenset(words.split())
        for words, names in _GENERAL.items()
        for name in names.split()
    },
}
_WORD = re.compile(r"[a-z0-9]+")


def names_elsewhere(question: str, passages: Iterable[str]) -> frozenset[str]:
    """The names in `question` that none of the `passages` speaks of; empty where one does of any.

    In lower case. A name that is not known here is no name.
    """
    asked = _NAMES.keys() & _WORD.findall(question.lower())
    if not asked:
        return frozenset()
    said = {word for passage in passages for word in _WORD.findall(passage.lower())}
    if any(_is_said(name, said) for name in asked):
        return frozenset()
    return frozenset(asked)


def _is_said(name: str, said: set[str]) -> bool:
    # Who writes "git" may mean GitHub, and who writes "Mac" macOS.
    kin = {other for other in _NAMES if other.startswith(name) or name.startswith(other)}
    return bool(said & (kin | _NAMES[name]))
