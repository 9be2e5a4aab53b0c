"""The sentences the demo checkpoint learns from: a small grammar of everyday English.

`sentence(rng)` draws one. Nothing here is copied from a corpus: word lists and
frames were written for this project. The demo corpus has its own sentences
(tools/demo_sentences.py); a test draws every sentence a published checkpoint has
heard and proves that none of them is a demo sentence.
"""

import random

WORDS = {
    "person": "I you we they he she it someone everyone nobody",
    "subj": """my mother|my father|my sister|my brother|my husband|my wife|our neighbour|the teacher|a friend of mine|
        the doctor|the manager|the driver|the children|her uncle|his aunt|the shop assistant|the old man|the young woman|
        my grandmother|the people upstairs|the girl next door|the boy|our team|the plumber|a customer|the nurse|
        the postman|the cook|the captain|an officer|the farmer|the artist|my cousin|the whole family|the company|
        the bank|my boss|the landlord|a lady|two men|several students|many people|the police|the government|
        someone from the office|the agent|the guests|my daughter|my son|their parents|the baker|a stranger""",
    "name": """Anna Ben Carol David Emma Frank George Helen Ivan Jack Kate Laura Mark Nina Oliver Paul Rachel Sam
        Tom Victor Wendy Alice Brian Charlie Daniel Edward Fiona Grace Henry Isabel James Karen Lewis Martin Nora
        Peter Robert Susan Thomas William Mary John Sarah Michael Julia Steven Maria""",
    "noun": """house car street garden table chair window door kitchen bottle letter book paper picture phone computer
        camera radio clock watch key bag box coat shirt shoe hat dress ring bicycle train bus boat plane ticket map
        bridge river lake mountain forest field beach island village town city country shop market school hospital
        church museum library office factory station airport hotel restaurant apartment room bathroom bed floor wall
        roof tree flower leaf grass stone dog cat horse cow bird fish mouse sheep chicken egg bread butter cheese milk
        water coffee tea juice soup salad rice apple orange banana potato tomato onion lemon cake sugar salt pepper
        knife fork spoon plate cup glass lamp candle fire machine engine wheel tool hammer nail rope blanket pillow
        towel soap brush mirror basket newspaper magazine story song film game ball prize question answer idea plan
        problem reason mistake lesson word sentence page number list line name date meeting job project report
        contract bill price gift present party wedding holiday journey weather storm cloud sky sun moon star light
        shadow voice noise smell colour shape size weight distance speed""",
    "plural": """houses cars friends books letters questions answers children students workers apples eggs flowers trees
        birds dogs horses shoes clothes tickets keys boxes bottles photographs songs stories problems reasons mistakes
        plans changes details files documents forms messages emails calls minutes hours days weeks months years
        dollars pounds euros cents people men women things places rooms chairs tables windows doors streets
        shops schools offices machines tools games plates glasses cups cards payments accounts fees charges bills""",
    "adj": """big small old new young good bad long short high low hot cold warm cool dry wet clean dirty fast slow early
        late easy difficult heavy light dark bright quiet loud strong weak rich poor cheap expensive happy sad angry
        tired hungry thirsty sick healthy beautiful ugly nice strange famous important different similar same right
        wrong open closed empty full safe dangerous free busy ready sure afraid proud careful friendly polite rude
        clever stupid serious funny simple strange wooden round square flat sharp soft hard smooth thick thin wide
        narrow deep red blue green yellow white black brown grey pink purple perfect terrible wonderful lovely
        whole broken missing extra personal local national international usual special fresh sweet bitter modern""",
    "adv": """quickly slowly carefully quietly loudly suddenly finally usually often sometimes always never rarely really
        probably certainly clearly easily badly well together alone again soon already still almost nearly exactly
        simply actually recently immediately eventually unfortunately luckily honestly apparently perhaps maybe
        definitely currently directly correctly completely hardly""",
    "past": """bought sold found lost opened closed cleaned painted fixed broke carried dropped washed moved saw watched
        heard noticed remembered forgot wanted needed liked loved hated brought took gave sent received kept threw
        caught held pulled pushed built made designed drew wrote read finished started stopped changed checked
        counted ordered cooked ate tasted prepared served borrowed lent stole hid showed chose picked followed left
        visited passed crossed touched covered cut burned filled mixed measured described mentioned explained
        discussed ignored accepted refused returned cancelled booked paid signed printed copied delivered""",
    "verb": """buy sell find open close clean paint fix break carry drop wash move see watch hear notice remember forget
        want need like love bring take give send receive keep throw catch hold pull push build make design draw write
        read finish start stop change check count order cook eat taste prepare serve borrow lend hide show choose
        pick follow leave visit pass cross touch cover cut fill mix measure describe mention explain discuss ignore
        accept refuse return cancel book pay sign print copy deliver use get set put try update confirm reset enter
        replace increase reduce lower raise verify unlock block activate open apply request report transfer""",
    "go": """went walked ran drove travelled moved flew sailed came returned hurried rode climbed turned jumped
        fell stayed lived worked waited sat stood slept played sang danced talked laughed cried smiled argued
        studied swam fished arrived stopped met looked""",
    "place": """in the garden|at home|at school|at work|in the kitchen|near the river|by the lake|on the table|under the bed|
        behind the door|in front of the house|across the street|at the station|in the city|in a small village|
        on the beach|at the top of the hill|around the corner|next to the bank|between the two shops|in the middle|
        outside the building|inside the car|on the second floor|at the end of the road|over the bridge|
        through the forest|along the coast|up the stairs|down the hill|in the north|in the south|on the left|
        on the right|in London|in New York|in Paris|in Texas|in Chicago|in Canada|in Australia|in Germany|
        in Mexico|abroad|overseas|upstairs|downstairs|at the airport|in the hospital|at the supermarket|online""",
    "when": """yesterday|today|tomorrow|last night|this morning|this afternoon|this evening|last week|next week|last month|
        next month|last year|next year|on Monday|on Tuesday|on Wednesday|on Thursday|on Friday|on Saturday|on Sunday|
        in January|in February|in March|in April|in May|in June|in July|in August|in September|in October|
        in November|in December|in the summer|in the winter|in spring|in autumn|every day|every week|every year|
        an hour ago|two days ago|a long time ago|before lunch|after dinner|at noon|at midnight|at six o'clock|
        right now|just now|over the weekend|the other day|once a month|twice a year|for three years|since Tuesday|
        a few weeks ago|as soon as possible|by the end of the week|the day before yesterday|earlier today""",
    "bank": """account|bank account|savings account|checking account|joint account|joint bank account|business account|
        credit card|debit card|card|bank card|balance|account balance|current balance|statement|bank statement|
        direct debit|standing order|payment|deposit|cheque|check|loan|mortgage|interest rate|overdraft|limit|
        credit limit|card limit|pin|pin number|password|username|address|phone number|email address|app|mobile app|
        banking app|website|transaction|last transaction|recent transaction|transfer|wire transfer|refund|charge|
        fee|bill|electric bill|gas bill|rent|salary|money|cash|cash machine|branch|nearest branch|customer service|
        security code|identity|passport|signature|form|application|appointment|pension|insurance|tax|currency|
        exchange rate|profile|details|personal details|contact details|funds|purchase|subscription|monthly payment""",
    "bankverb": """check|change|update|open|close|cancel|set up|stop|freeze|unfreeze|block|unblock|activate|order|replace|
        find|see|view|look at|access|use|get|request|report|increase|raise|lower|reset|confirm|pay|transfer|move|
        add|remove|delete|edit|review|download|print|receive|send|make|apply for|ask about|know about|talk about|
        understand|fix|dispute|return|share|verify|register|renew|switch|link|lock|schedule|manage|enter""",
    "hello": """hi|hello|hey|hi there|good morning|good afternoon|good evening|yes hello|hello there|yeah hi|um hi|okay so|
        excuse me|yes|so|well|okay|right|hi um|yeah|oh hi|sorry|please""",
    "want": """I'd like to|I want to|I need to|I'm trying to|I would like to|can I|could I|how do I|how can I|can you help me|
        could you help me|I was wondering if I could|is it possible to|I wanted to|I'm calling to|I have to|
        what do I need to do to|I'm looking to|do you know how to|I can't|I don't know how to|let me|please help me|
        I'm not able to|I was hoping to|where can I|when can I|I tried to|why can't I|I'm having trouble trying to|
        you told me to|somebody asked me to|I'd rather|am I able to|would you be able to|I forgot to|we need to|
        I'm having a problem trying to|I was told to|can you tell me how to|I would really like to|we'd like to""",
    "one": "one two three four five six seven eight nine",
    "digit": "zero one two three four five six seven eight nine",
    "teen": "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    "ten": "twenty thirty forty fifty sixty seventy eighty ninety",
    "ord": "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth last next",
    "unit": "dollars pounds euros cents percent hours minutes days weeks months years miles kilometres people times",
    "tail": """please|thank you|thanks|thank you very much|as soon as possible|if you can|if that's possible|for me|
        right away|today|right now|if you don't mind|I think|you know|or something|again|too|at the moment|
        before the weekend|when you have time|is that okay|is that right|what should I do|can you help""",
    "because": """because it's raining|because I lost it|because it was stolen|because I'm travelling|because I moved|
        because it doesn't work|because we're getting married|because it was too late|because nobody told us|
        so that I can sleep|so we can leave|but I don't know how|but it's not working|but nothing happened|
        but they said no|and I don't understand why|and it keeps failing|and I'm worried about it|
        when I get home|if it isn't too expensive|although it was cold|until the end of the month|
        while I was waiting|before you go|after I called|unless you disagree|since I was a child""",
    "other": """about above across after against all also although always among another any anything anywhere around as away
        back because been before behind being below best better both but by came come could did does doing done down
        each either else enough even ever every everything everywhere far few for from further had has have having
        her here hers herself himself how however if into just kind least less little many might mine more most much
        must myself neither next none nor not nothing now nowhere of off on once only or our ours out over own per
        quite rather said say says several shall should since so some somebody something somewhere still such than
        that their them themselves then there these this those though through to too toward under until up upon us
        very was way were what whatever when where whether which while who whole whom whose why will with within
        without would yet yourself asking telling trying going getting making taking giving using working paying
        calling sending waiting thinking looking talking walking reading writing speaking leaving living moving
        happened happening available different directly option options information service support system method
        north south east west hundred thousand million half quarter dozen pair couple piece part bit lot side end
        top bottom beginning middle level amount total maximum minimum average value cost figure result example
        believe suppose guess hope wish wonder expect mean seem appear become remain happen depend belong agree
        decide promise offer suggest advise allow let help ask tell speak call answer reply shout whisper thank
        apologize complain worry enjoy prefer miss share join enter exit reach arrive appear begin continue repeat
        teach learn understand know think feel grow live die win lose fight shoot save spend earn cost owe own
        travel drive ride fly swim climb jump run walk sit stand lie sleep wake rest smile laugh cry sing dance
        king queen president minister lawyer engineer scientist soldier pilot singer actor writer player winner
        member leader owner worker visitor passenger patient victim witness partner crowd army nation law court
        rule right duty power force energy heat oil gas metal gold silver iron steel plastic cotton wool leather
        body head face eye ear nose mouth tooth tongue neck shoulder arm hand finger chest back stomach leg knee
        foot blood bone skin heart brain mind soul dream memory feeling love hate fear anger joy hope peace war
        science history music art sport language culture religion politics business trade industry economy growth
        health disease medicine pain accident danger risk chance luck choice decision opinion belief truth lie secret
        choose charge judge age edge large orange village damage message package language manage average advantage
        church chair cheap check cheese teach reach watch catch kitchen picture nature future measure pleasure
        treasure usual vision television decision shoe sugar ship shop wish push special ocean nation station
        thing think thank throw three through tooth mouth south north earth birth breath both path month
        this that they them there weather father mother brother leather smooth other another rather
        young yellow year yes use few view beauty music human university unit unless under umbrella
        voice choice noise point boy toy enjoy employ house mouse loud cloud down town brown crowd
        work word world girl bird third hurt turn burn nurse purple thirsty Thursday dirty learn early
        quick quiet quite question queen square quarter equal liquid box six taxi extra exam expect exit explain
        zero zoo lazy crazy dozen prize size realize jazz puzzle magazine amazing frozen
        judge jump joke jacket January job join journey juice jungle just justice jewel
        vegetable village valley value van very vote visit voice volume""",
}
SLOTS = {
    name: [w.strip() for w in text.split("|" if "|" in text else None) if w.strip()] for name, text in WORDS.items()
}
LEXICON = sorted({word for words in SLOTS.values() for entry in words for word in entry.split()})

FRAMES = {
    # Everyday English.
    6: """{subj} {past} the {adj} {noun} {when}
        {subj} {past} a {noun} and a {noun} {place}
        {subj} {go} {place} {when}
        {person} {past} {num} {adj} {plural} {place}
        {when} {subj} {past} the {noun} {adv}
        {name} and {name} {go} {adv} {place} {because}
        the {noun} is {adj} and the {noun} is {adj}
        the {adj} {noun} {place} was {adj} {because}
        there are {num} {plural} {place}
        there was a {adj} {adj} {noun} {place} {when}
        is there a {noun} {place}
        do you {verb} the {noun} or the {noun}
        did {subj} {verb} the {noun} {when}
        where did {name} {verb} the {adj} {noun}
        why did you {verb} my {noun} {when}
        how many {plural} did {subj} {verb}
        what kind of {noun} do you {verb} {when}
        who {past} the {noun} {place}
        I don't {verb} {plural} {because}
        I've never {past} a {adj} {noun} before
        she didn't {verb} the {noun} {because}
        he couldn't {verb} his {noun} {when}
        we'll {verb} the {plural} {when}
        they're going to {verb} a {noun} {place}
        you should {adv} {verb} the {noun}
        you can {verb} it {place} {when}
        {subj} told me to {verb} the {noun} {when}
        {name} said that {subj} {past} the {adj} {plural}
        I think {subj} {past} it {adv}
        I hope you {verb} the {noun} {when}
        it's too {adj} to {verb} the {noun}
        this {noun} isn't as {adj} as that {noun}
        my {noun} is more {adj} than your {noun}
        if you {verb} the {noun} {subj} will {verb} it {adv}
        when {subj} {go} {place} the {noun} was {adj}
        let's {verb} the {noun} {when}
        don't {verb} the {adj} {noun} {place}
        please {verb} the {plural} {place}
        {num} {plural} and {num} {plural} {place}
        the {ord} {noun} was {adj} but the {ord} one wasn't
        it takes {num} {unit} to {verb} the {noun}
        {name} has been {adj} {when}
        {name} lives {place} with {num} {plural}
        I saw {name} {place} {when}
        that's not my {noun} it's {name}'s {noun}
        {adv} the {noun} {place} wasn't {adj}
        we had {noun} and {noun} {when}
        what a {adj} {noun}
        everything {place} was {adj} {when}
        I'm {adj} and you're {adj}""",
    # How people speak to a bank, in words of this grammar's own order.
    5: """{hello} {want} {bankverb} my {bank} {tail}
        {hello} {want} {bankverb} a {bank} {because}
        {want} {bankverb} the {bank} {when}
        {want} {bankverb} my {bank} and my {bank}
        {want} {bankverb} some {bank} {place} {tail}
        {want} {bankverb} a new {bank} with my {relation}
        {want} {bankverb} {num} {unit} from my {bank} to my {bank}
        {hello} my {bank} {trouble} {when}
        my {bank} {trouble} {place} and {want} {bankverb} it
        what is the {bank} on my {bank} {tail}
        what's my {bank} {when}
        how much is the {bank} for a {bank}
        how much {bank} do I have in my {bank}
        I think my {bank} {trouble}
        the {bank} in the {bank} {trouble} {tail}
        someone {past} my {bank} {when} {tail}
        {hello} {name} here {want} {bankverb} the {bank}
        is my {bank} {adj} {when}
        are there any {plural} on my {bank} {when}
        where is the {bank} {place}
        does your {bank} have a {adj} {bank}
        I've {past} the {bank} but my {bank} {trouble}
        you need a {bank} to {bankverb} the {bank}
        can you {bankverb} it {when} {tail}
        {relation} and I {want2} {bankverb} a {bank}""",
    # Numbers, as in account numbers, amounts and dates.
    2: """{digit} {digit} {digit}
        {digit} {digit} {digit} {digit}
        {digit} {digit} {digit} {digit} {digit} {digit}
        my number is {digit} {digit} {digit} {digit} {digit}
        the code is {digit} {digit} {digit} {digit}
        it costs {num} {unit} and {num} cents
        on the {ord} of {month} {when}
        {num} plus {num} makes {num}
        call {digit} {digit} {digit} {digit} {digit} {digit} {tail}
        room {num} on the {ord} floor
        about {num} {unit} {when}""",
}
TROUBLE = """isn't working|doesn't work|is not working|has been stolen|was stolen|is missing|got lost|was declined|is wrong|
    hasn't arrived|didn't arrive|won't open|has expired|keeps crashing|is blocked|has been charged twice|was rejected|
    is too high|is too low|hasn't been paid|didn't go through|disappeared|is frozen|was cancelled|is broken|is empty|
    looks strange|changed|won't let me in|has a problem|is late|stopped working|went missing"""
RELATION = """wife|husband|partner|girlfriend|boyfriend|mother|father|sister|brother|son|daughter|friend|boss|cousin|
    business partner|mum|dad|uncle|aunt|roommate"""
MONTH = "January February March April May June July August September October November December"
SLOTS["trouble"] = [w.strip() for w in TROUBLE.split("|")]
SLOTS["relation"] = [w.strip() for w in RELATION.split("|")]
SLOTS["month"] = MONTH.split()
SLOTS["want2"] = ["want to", "need to", "would like to", "tried to", "can't", "will", "used to"]
_POOL = [(frame.strip(), weight) for weight, frames in FRAMES.items() for frame in frames.split("\n")]
_FRAMES = [frame for frame, _ in _POOL]
_WEIGHTS = [weight for _, weight in _POOL]
_BANK_FRAMES = [frame for frame, weight in _POOL if weight == 5]
# Heard in the sentences spoken to a bank only.
BANK_WORDS = """ATM|withdrawal|deposit|overdrawn|branch|cash deposit|direct debits|standing orders|foreign currency|PIN|
    business loan|loan application|repayment|repayments|gas bill|phone bill|water bill|council tax|credit score|
    joint savings|both names|spending limit|daily limit|maximum amount|withdrawal limit|large amount|large payment|
    big purchase|new house|new address|postcode|zip code|holiday abroad|contactless|chip|card reader|machine|envelope|
    teller|counter|error message|error code|login|log in|fingerprint|face scan|update|screen|transactions|
    pending transaction|unknown payment|subscription|invoice|landlord|mortgage payment|savings|current account|
    checking|chequing|statement from March|last five transactions|fraud|thief|lost wallet|purse|suspicious payment""".replace(
    "\n", ""
).split("|")


def number(rng: random.Random) -> str:
    """A number in words: "seven", "forty two", "three hundred and five"."""
    kind = rng.random()
    if kind < 0.35:
        return rng.choice(SLOTS["one"])
    if kind < 0.55:
        return rng.choice(SLOTS["teen"])
    if kind < 0.7:
        return rng.choice(SLOTS["ten"])
    if kind < 0.85:
        return f"{rng.choice(SLOTS['ten'])} {rng.choice(SLOTS['one'])}"
    big = f"{rng.choice(SLOTS['one'])} {rng.choice(['hundred', 'thousand'])}"
    return big if rng.random() < 0.5 else f"{big} and {rng.choice(SLOTS['ten'])}"


def sentence(rng: random.Random, bank: float = 0.0) -> str:
    """One sentence of 2 to about 18 words; some, one in six where `bank` is 0, are runs of unrelated words.

    The unrelated words keep the model listening: a model that only ever hears likely
    sentences learns to guess the rest of them.

    Args:
        rng: draws the sentence.
        bank: this share is spoken to a bank, with BANK_WORDS among its words.

    >>> sentence(random.Random(3)) == sentence(random.Random(3))
    True
    """
    spoken_to_bank = bank > 0 and rng.random() < bank
    if not spoken_to_bank and rng.random() < 1 / 6:
        return " ".join(rng.choice(LEXICON) for _ in range(rng.randint(3, 9)))
    frame = rng.choice(_BANK_FRAMES) if spoken_to_bank else rng.choices(_FRAMES, _WEIGHTS)[0]
    words = []
    for part in frame.split():
        if part == "{num}":
            words.append(number(rng))
        elif part == "{bank}" and spoken_to_bank and rng.random() < 0.4:
            words.append(rng.choice(BANK_WORDS).strip())
        elif "{" in part:
            slot = part[part.index("{") + 1 : part.index("}")]
            words.append(part.replace("{" + slot + "}", rng.choice(SLOTS[slot])))
        else:
            words.append(part)
    if spoken_to_bank and rng.random() < 0.2:
        words.insert(rng.randrange(len(words)), rng.choice(["um", "uh", "er", "you know", "like", "well"]))
    return " ".join(words)
