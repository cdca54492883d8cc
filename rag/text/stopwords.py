"""Small words: English ones that a query does without, others that give a language away.

"up", "out" and "off" are not among them: "sign up" and "sign out" are two things.
"""

_ENGLISH = """
a about above after again all also am an and any are aren as at be because been before being
between both but by can cannot could couldn d did didn do does doesn doing don during each few
for from further had hadn has hasn have haven having he her here hers herself him himself his
how i if in into is isn it its itself ll m me more most much must my myself no nor not of on
once only or other ought our ours ourselves over own please re s same shall shan she should
shouldn so some such t tell than that the their theirs them themselves then there these they
this those through to too under until us ve very was wasn we were weren what when where which
while who whom whose why will with won would wouldn you your yours yourself yourselves
"""

# What people say around a question. In a small collection such words are rare and would weigh most.
_AROUND_QUESTIONS = """
able actually already although anybody anyone anything anyway anyways basically bit else even ever
everybody everyone exactly get gets getting got hello hey hi instead just kindly like lot lots
maybe might ok okay one ones perhaps possible probably quite rather really simply since somebody
somehow someone something still stuff thank thanks though want wanted wants way well
whether wonder wondering yet
"""

_OTHER = """
der das und ist nicht ein eine einen einem einer wie wo wer wann warum welche welcher welches
ich wir sie mein meine mit auf fur von zu zum zur dem den des im bei wird werden kann wurde hat
le la les des une est sont qui que quoi quel quelle quels quelles comment pourquoi quand combien
dans avec pour sur je nous vous mon ma mes du au aux et ou ne pas ce cette ces el los las una
unos es son que quien cual cuando donde como por para con mi mis del al y en se il lo gli uno
sono chi che quale quando dove perche come di da nel nella con per mio mia e o os um uma sao
quem qual onde para com meu minha do dos das em no na nos nas het een zijn wat waar wanneer
waarom welke hoe ik wij mijn met op voor van bij niet och att det som har var vad hur med jag en
ett till av ar este sunt care unde cand cum ce cine de la si cu pe din pentru nie jest jak gdzie
kiedy dlaczego czy co kto z na do bir ve nasil nerede ne kim icin ile mi mu
"""


_IN_BOTH = "a i me no on so an do as he we be is it was in or her at who if by hat will"

ENGLISH_STOP_WORDS = frozenset(_ENGLISH.split() + _AROUND_QUESTIONS.split())
OTHER_FUNCTION_WORDS = frozenset(_OTHER.split()) - frozenset(_IN_BOTH.split())
