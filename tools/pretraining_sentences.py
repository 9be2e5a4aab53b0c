"""The sentences the demo checkpoint learns from: a small grammar of everyday English.

`sentence(rng)` draws one. Nothing here is copied from a corpus: word lists and
frames were written for this project. The demo corpus has its own sentences
(tools/demo_sentences.py); a test draws every sentence a published checkpoint has
heard and proves that none of them is a demo sentence.
"""

import random
import re

from demo_sentences import SENTENCES

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


# What callers say to a bank: frames within frames, in the words of the demo corpus's training rows and many more.
# No demo sentence is drawn from them.
CALLS = {
    "call": """{open} {ask}|{open} {ask}|{ask}|{ask}|{ask}|{ask} {close}|{open} {ask} {close}|{tell}|{open} {tell}|
        {tell} {close}|{tell} and {ask}|{tell} so {ask}|{tell} but {tell2}|{open} {tell} {tell2}|{tell} {ask}|
        {ask} because {tell}|{open} {tell} what should I do""",
    "open": """hi|hi|hello|hello there|hey|um|uh|so|okay so|yeah|uh yeah|yes hi|hey uh|good morning|good evening|hi there|
        excuse me|well|um hi|yes|hi um|good afternoon|sorry|all right so""",
    "close": """please|thanks|thank you|for me|today|right now|if you can|as soon as possible|is that right|is that okay|
        can you help me|at the moment|anymore|again|right away|just for today|from now on|as quickly as you can""",
    "ask": """{can} {do}|{can} {do}|{can} {do}|{how} {do}|{how} {do}|{wish} {do}|{wish} {do}|{wish} {do}|{wish} {do}|{q}|{q}|
        {q}|{please} {do}|{can} {do} {when2}|{wish} {do} {when2}|{wish} {do} and {do}|{can} {do} or {do}|
        {wonder} how to {do}|{wonder} if I can {do}|{why} {do}|do I have to {do} before I {do}|{can} {do} without {thing}|
        where do I go to {do}|{wish} know {fact}|can you tell me {fact}|could you tell me {fact}|do you know {fact}|
        who do I talk to about {thing}|what do I need to {do}|I'm calling to {do}|I'm calling about {thing}""",
    "can": """can I|could I|can you|could you|will you|is it possible to|am I able to|am I allowed to|can we|would you|
        may I|could somebody|can my {kin}|is there any way to|do I need to|do you have to|can someone else|shall I|
        is it safe to|is it too late to|would it be better to|do we have to|could one of us""",
    "how": """how do I|how can I|how do we|what's the best way to|what's the fastest way to|what's the easiest way to|
        where can I|when can I|where do I|how am I going to|what do I do to|how soon can I|how long does it take to|
        how much does it cost to|what does it cost to|how often can I|what happens if I|which card do I use to""",
    "wish": """I'd like to|I want to|I need to|I'm trying to|I would like to|I wanna|I'm looking to|we'd like to|we want to|
        I wanted to|I tried to|I've been trying to|I'd rather|I'm going to|I was told to|we need to|I have to|
        my {kin} wants to|I need you to|I'm calling to|I was hoping to|we're trying to|my {kin} and I want to|
        I'm thinking about how to|I'm not able to|I can't|I can't even|I forgot to|I couldn't|you told me to|
        I'm ready to|I'm having trouble trying to|I just want to|I'd just like to|I still need to""",
    "please": "please|could you please|can you please|will you please|please help me|I'd like you to|just",
    "wonder": "I wonder|I was wondering|just wondering|do you know|I don't know|I've no idea|I want to know|I'd like to know",
    "why": "why can't I|why won't you|why do I have to|why did you|why should I|why can I only|why can't my {kin}",
    "do": """{move}|{move}|{accountdo}|{accountdo}|{carddo}|{carddo}|{billdo}|{loando}|{seedo}|{seedo}|{adddo}|{appdo}|
        {cashdo}|{cashdo}|{limitdo}|{debitdo}|{debitdo}|{stopdo}|{stopdo}|{tripdo}|{everyday}""",
    "move": """send {sum} to {who}|transfer {sum} to {who}|pay {who} {sum}|move {sum} to my savings|make a {size} payment|
        pay {sum} for {buy}|send a {size} amount of money to {who}|give {sum} to my {kin}|pay for {buy}|buy {buy}|
        pay for {buy} all at once|transfer money over the phone|put half of it in my savings|send that much money|
        move all my money to another bank|send money to another country|pay {who} straight from my account""",
    "accountdo": """open {acct}|open {acct} with my {kin}|close {acct}|open an account together|add my {kin} to {acct}|
        take my {kin} off {acct}|take my name off {acct}|put both names on {acct}|turn my account into {acct}|
        keep using {acct}|use {acct}|share {acct} with my {kin}|sign for {acct}|check {acct}|see {acct}|change accounts|
        set up {acct}|set up {acct} for {num} people|borrow against our house|pay some interest on {acct}""",
    "carddo": """use my card|use my {cardkind} card in {land}|get a new card|order another card|find my card|change my pin|
        turn on my new card|replace my {cardkind} card|put my pin in every time|pay with my card|tap my card|
        send me a new card|send my card to {where}|have another one|remember the pin for my card|pay by card in {land}|
        lock my card|stop my card|bring my card with me|take my card back|get my card out of the machine""",
    "billdo": """pay my {billkind} bill|pay the {billkind} bill|pay a bill|pay all my bills at once|split the bill with my {kin}|
        pay my {billkind} bill from {acct}|pay only half of my {billkind} bill|add a new company|pay somebody's bill|
        pay {who} for my {kin}|pay off the last part of my {billkind} bill|remind me when my bills are due|
        pay it in advance|pay it over the phone|find the account number on the bill|pay my rent|pay the rent {when2}""",
    "loando": """borrow {sum}|borrow some money|apply for a {size} loan|apply for a business loan|get a loan for {firm}|
        pay back my loan early|pay my loan off|start {firm}|open {firm}|buy {firm}|borrow money for {firm}|lend me {sum}|
        lend money to {firm}|get a {num} year loan|meet somebody at the bank|fill out the loan papers|try again for a loan""",
    "seedo": """see my balance|check my balance|know my balance|check my account balance by text message|hear my balance|
        read me my last {num} transactions|see my recent transactions|look at my transactions|find my last payment|
        see what I spent in {month}|see what's gone out of my account|check what came in {when2}|read out the balance|
        check if my salary has come in|email me a statement|see everything I bought {when2}|see last year's payments|
        go through my payments with me|find out how much I've got|know who took money from my account|
        get a list of my payments|check the last few things I bought|see how much is left on my {cardkind} card""",
    "adddo": """change my address|update my address|change the address on {acct}|give you my new address|tell you my address|
        change the address online|send my letters to {where}|have my mail sent to {where}|send everything to {where}|
        put down my new address|take that address off my account|let you know that I'm moving|move to {land}|
        move out of my {home}|save the new address|check which address you have for me|change my phone number|
        spell the name of my street|prove where I live|see a bill to prove where I live|sell the {home}|buy a {home}""",
    "appdo": """open the app|log in|log in on my phone|get into the app|update the app|delete the app|put the app back on my phone|
        use the app on my {device}|take a photo of a check|type in the code|get a new code|find it in the app|
        see my accounts in the app|use my fingerprint|change my password|reset my password|find the button|see the screen|
        do it in the app|do the whole thing online|press the button|check it in the app|read the message""",
    "cashdo": """pay in some cash|pay in {sum}|put cash in my account|deposit cash|deposit {sum}|deposit a check|make a deposit|
        put {sum} into the machine|bring in some cash|put coins into the machine|pay cash into my {kin}'s account|
        take out {sum}|take out some money|take cash out of the machine|get cash in {land}|draw cash|get some cash|
        withdraw {sum}|take {sum} out of the cash machine|pay in money on a {day}|get a receipt|pay in my {kin}'s check|
        put the money in the bank|bring old notes to the bank|change the notes|count the notes again|find a cash machine""",
    "limitdo": """raise my limit|lift my limit|lower my limit|change my {limitkind} limit|raise the limit on my card|
        set a limit on it|set a limit for my {kin}|know my {limitkind} limit|take out more than {sum}|get more cash|
        reach my limit|find out my {limitkind} limit|lift my {limitkind} limit for one day|go over {sum}|
        take out {sum} a day|put my limit up in the app|spend more than {sum}|change the limit {when2}""",
    "debitdo": """set up a direct debit|set up a direct debit for {company}|cancel a direct debit|cancel my direct debit to {company}|
        stop the direct debit for {company}|change the day of my direct debit|move my direct debits to {acct}|
        start a direct debit for my {billkind} bill|see my direct debits|change the amount of my direct debit|
        tell me which direct debits I have|pay my bills by direct debit|pay my rent every month|stop paying {company}|
        get my money back from {company}|cancel {company}|move the direct debit to the {ord} of the month|agree to that payment""",
    "stopdo": """freeze my card|freeze my account|unfreeze my card|freeze my {cardkind} card|block my card|lock my account|
        put a hold on my account|stop all payments|stop the payment|freeze just one card|stop my card|block everything|
        freeze my card for a couple of {unit2}|stop it before they spend any more|lock it for now|report a lost card|
        report a stolen card|cancel the payment to {who}|stop my subscriptions|call the police|unblock my card|
        freeze the card my {kin} has|have my card stopped|stop them from using my card""",
    "tripdo": """fly to {land} {when2}|go to {land} {when2}|use my card when I'm in {land}|travel in {land}|go on holiday|
        let you know before I travel|pay for a hotel in {land}|put a travel note on my account|change money for {land}|
        take money out over there|pay in {money}|buy something in {money}|go overseas|work in another country|live abroad|
        call you from another country|use a partner bank in {land}|leave the country {when2}|go away for a {unit1}""",
    "everyday": """{verb} the {noun}|{verb} a {adj} {noun}|{verb} the {noun} {place}|{verb} my {noun}|{verb} {num} {plural}|
        talk to my {kin} about the {noun}|find a {noun} for my {kin}|wash my {noun}|ask somebody {place}|wait {place}""",
    "q": """what's my balance|what's in my savings|what's my limit|what is the {limitkind} limit|what is the limit on my card|
        how much money have I got|how much money is in {acct}|how much is left on my {cardkind} card|what was that charge|
        what's the most I can {do1}|how much can I {do1}|is there a limit on how much I can {do1}|is there a fee when I {do}|
        is there a charge for that|how much do you charge|what's the interest on {acct}|what's the interest on a loan of {sum}|
        do you charge me when I {do}|will I be charged if I {do}|will my card work in {land}|does my card work in {land}|
        is my card blocked|why is my card blocked|why was my card declined|why did my card get refused|why is it so slow|
        who took {sum} from my account|why was I charged {sum}|where is my money|where's my new card|when is my bill due|
        when does my direct debit go out|when will the money get there|how long does it take|how long will it take to {do}|
        how long before it shows up|did my payment to {who} go through|has my payment arrived|has my salary come in yet|
        has the check cleared yet|did my {kin} pay you|do I have enough to buy {buy}|have I got enough to pay {who}|
        am I overdrawn|is there a problem with {thing}|is there something wrong with {thing}|what's wrong with {thing}|
        what's going on with {thing}|what happens to {thing} if I {do}|what happens when I {do}|what time do you close|
        are you open on {day}|is there a branch {place}|which branch is open on {day}|which number do I call|
        what do I need to bring|do I need my card with me|do I need an appointment|do we both have to be there|
        do we both have to sign|does my {kin} need to be there|can both of us use it|do you have a {size} loan for {firm}|
        do you lend money to {firm}|does the limit start again {when2}|is it the same limit in {land}|will it be the same|
        can I do it online or do I have to come in|do you need my new address|which address do you have for me|
        do you have partner banks in {land}|what does pending mean|what does that mean|what papers do I need|why not""",
    "do1": "take out|send|spend|borrow|withdraw|pay in|deposit|transfer|send in one go|take out in one day|get from the machine",
    "fact": """how much is in {acct}|how much I've got|what my limit is|what's left in {acct}|how much I can {do1}|
        if my payment went through|whether my card works in {land}|why my card was declined|when my card will come|
        what my balance is|where my money went|how to {do}|if I have to {do}|what I need to bring|which card I should bring|
        what you charge for {thing}|how long it takes|if somebody used my card|who to call|what to do|how I {do}|
        whether {who} got the money|when I can {do}|how far back I can look|what I spent at {shop}|if it's safe""",
    "tell": """I lost my {lost} {lostat}|I lost my {lost}|I can't find my {lost} anywhere|someone stole my {lost}|
        somebody's stolen my {lost}|my {lost} was stolen {lostat}|I left my {lost} {lostat}|I think I left my card {lostat}|
        I dropped my {lost} {lostat}|somebody's been using my card|I think someone's used my card|my {kin} used my card|
        my card doesn't work|my card doesn't work in {land}|my card isn't working|my card won't work at {shop}|
        my {cardkind} card was declined at {shop}|my card got declined twice|the machine ate my card|my card is broken|
        the machine kept my card|the chip on my card is scratched|my card was turned down at {shop}|my card is stuck|
        {shop} wouldn't take my card|I forgot my pin|I typed in the wrong pin|I've forgotten the pin for my card|
        I typed the wrong number {num} times|I haven't got my new card|my new card hasn't come|I never got my card|
        I'm still waiting for my card|my card runs out {when2}|the name on my card is wrong|I used it an hour ago|
        the app doesn't open|the app won't open|the app crashes every time I {do}|the app keeps asking me for a code|
        the app keeps closing|the app is stuck on the {screen}|the app logged me out|the app says {says}|it says {says}|
        your app has been down all {part}|the app isn't working on my {device}|I updated the app {when2}|it just freezes|
        I can't log in|I can't see {acct} when I log in|I can't see {thing} in the app|it won't let me {do}|
        it wouldn't let me {do}|the app won't let me {do}|it keeps telling me {says}|I get an error message|
        I've just moved house|I've just moved to {land}|we moved in {month}|I'm moving {when2}|I'm moving out of my {home}|
        I've moved from {land} to {land}|we've sold the {home}|I bought a {home}|my address is wrong|my address has changed|
        you keep sending my letters to {where}|you have my old address|my {kin} keeps getting my letters|
        I live with my {kin} now|I got married {when2}|we just got married|we got engaged|we've split up|my {kin} died|
        my {kin} passed away|my {kin} is getting old|my {kin} and I live together|we both work all day|
        I'm flying to {land} {when2}|I'm in {land} at the moment|I'm going to {land} {when2}|we're going to {land}|
        I'm stuck in {land}|I was in {land} {when2}|my {kin} is in {land}|my {kin} is studying in {land}|I'm on holiday|
        I'm traveling in {land}|we've booked a trip to {land}|I leave {when2}|I'm going away for a {unit1}|
        I'm buying a {home}|I'm buying {buy}|we're buying {buy}|I sold my {sold}|I sold my {sold} for {sum}|
        I want to buy {buy}|I'm starting {firm}|I run {firm}|I'm opening {firm}|we're opening {firm}|I work for myself|
        my {kin} and I run {firm}|I was turned down for a loan|I was turned down last year|my company is too young|
        I paid in {sum} {when2}|I put {sum} in the machine|I deposited {sum} {when2}|it's not in my account|
        the machine took my money|the machine counted it wrong|it gave me no receipt|my {kin} gave me {sum}|
        I've got some cash|I've got a lot of {coins}|I only took out {sum}|the machine said no|I reached my limit|
        the machine told me I'd reached my {limitkind} limit|my limit is {sum}|I thought my limit was {sum} a day|
        you changed my limit|nobody told me about it|I need more cash than that|I spend too much|I need cash for {buy}|
        I had {sum} {when2}|it's all gone|my balance looks wrong|my balance is lower than it should be|my screen says zero|
        I forgot how much I have|I'm at {shop}|I sent {sum} to {who} {when2}|I sent {sum} to my {kin}|it never came|
        I paid {who} {when2}|I paid the {billkind} bill twice|I paid it twice by mistake|they charged me twice|
        you charged me {num} times|{company} charged me {sum}|{company} took {sum} {when2}|some company took {sum}|
        {company} keeps taking money|they're still taking money|they took the same payment twice|I stopped it {when2}|
        I cancelled it {when2}|I cancelled my direct debit|my direct debit bounced|my direct debit didn't go through|
        there's a direct debit that I don't know|there's a payment I don't recognize|there's a charge I don't know|
        I don't recognize this payment|I don't know what it is|I never agreed to it|I bought {buy} {when2}|
        {shop} gave me a refund|I can't see my refund|my boss has paid me|my boss says he paid me|my salary isn't there|
        I get paid on the {ord}|my rent is due {when2}|my {billkind} bill is due {when2}|my {billkind} bill is too high|
        I've got a {billkind} bill here|I got a bill from {who}|I got a letter from {who}|my landlord wants the rent|
        my insurance went up|there wasn't enough money in there|there's money in my account|I don't have the app|
        I don't have the cash|I'm not near a branch|I found my card again|I gave my pin to {who}|I clicked on a link|
        my payment is being held|my payment hasn't got there|it's a large amount|it's about {sum}|it's for {buy}|
        the amount is too high|I'd rather speak to a person|I'd like to speak to somebody|I need it {when2}|
        I think something's off|something strange is going on|something went wrong|I'm worried about {thing}|I'm scared""",
    "tell2": """it doesn't work|it still doesn't work|it's not working|it won't go through|it didn't go through|it says {says}|
        nothing happens|nothing's changed|I can't find it|I can't find where|I don't know why|I don't know how|it's wrong|
        that's not right|that can't be right|it never arrived|it hasn't arrived|they say it never came|I was refused|
        nobody answers|nobody told me|I've heard nothing|I haven't heard anything|it's too late|it's gone|it's blocked|
        I need it {when2}|I can't {do}|I couldn't {do}|my {kin} can't {do}|it keeps refusing me|it was fine {when2}|
        I know it's right|it's due {when2}|I've tried {num} times|I still can't {do}|it's still the old one|it isn't mine""",
    "thing": """my card|my account|my new card|the app|my savings|my loan|a loan|the payment|my last payment|this charge|my bill|
        a direct debit|our joint account|my {cardkind} card|my balance|the fee|my pin|the cash machine|my transactions|
        my address|a business loan|the deposit|my {billkind} bill|my limit|my money|your charges|the website|my refund""",
    "acct": """my account|my account|my savings|my savings account|a joint account|our joint account|a business account|
        a savings account|my own account|my old account|my {kin}'s account|an account|both of my accounts|my current account|
        the account we share|a new account|my other account|a bank account""",
    "cardkind": "credit|debit|credit|debit|gold|bank|new|old|other|business|black",
    "billkind": """electric|gas|water|phone|internet|credit card|car|hospital|electricity|cable|heating|rent|tax|school|dentist|
        cell phone""",
    "limitkind": "daily|cash|withdrawal|ATM|card|payment|credit|transfer|spending|weekly",
    "size": "large|big|small|really big|very large|high value|special|quick|new|business|second|five year|last",
    "firm": """a bakery|a coffee shop|a small company|my company|our company|a restaurant|a hair salon|my business|a shop|a farm|
        a charity|my firm|a small business|the workshop|a flower shop|a market stall|a hotel|a book shop|a garage|a bar""",
    "sum": """{amount} dollars|{amount} dollars|{amount} dollars|{amount}|{amount} pounds|{amount} euros|some money|some cash|
        a lot of money|a lot of cash|{amount} in cash|half of it|the money|all of it|a bit of money|a large sum|nothing|
        a couple of hundred|a hundred dollars|a thousand dollars|the rest|too much money|that much money""",
    "amount": """{one} hundred|{one} hundred|{one} thousand|{ten}|{ten}|{ten} {one}|{ten} thousand|{teen}|a hundred|a thousand|
        {one}|{one} hundred and {ten}|a hundred thousand|ten thousand|fifty|fifty thousand|five hundred|two hundred|forty five""",
    "who": """my {kin}|my landlord|my lawyer|a builder|the builder|the plumber|the dentist|the hospital|the school|my boss|
        another bank|somebody|a friend|the council|the university|a company|the buyer|my doctor|the tax office|a man|
        the gas company|the phone company|the water company|the insurance company|the gym|someone|the person|everyone""",
    "company": """the gym|the gas company|the water company|the phone company|my insurance|a magazine|the cable company|
        the electric company|the council|my gym|a company|the internet company|the charity|my landlord|the school|
        some website|the insurance company|an old subscription""",
    "shop": """the shop|the store|the supermarket|the gas station|the restaurant|the coffee shop|the hotel|the market|the bus|
        a restaurant|any shop|the pharmacy|the till|the airport|the train station|the post office|school|work|the bank|
        every machine|the cinema|the bakery|the hospital""",
    "buy": """a house|a car|a used car|a washing machine|a bike|a new phone|a boat|a coffee|a dinner|a ticket|a van|a hotel|
        a computer|a new kitchen|some clothes|a train ticket|our first home|a bed|new machines|a present|lunch|a holiday|
        my daughter's school|our wedding|a plane ticket|books|a camera|shoes|a new roof|a garden""",
    "sold": "car|house|boat|bike|phone|old car|van|camera|computer|flat",
    "lost": """card|credit card|debit card|wallet|purse|bag|phone|card|card|cards|passport|keys|money|bank card""",
    "lostat": """on the train|in a taxi|in the street|at the beach|on the bus|at work|at the airport|last night|this morning|
        at home|in a shop|yesterday|at the restaurant|in the park|somewhere|about {ten} minutes ago|an hour ago|{when2}|
        at the gym|on holiday|at the hotel|in {land}|at school""",
    "screen": "loading page|first page|white screen|screen|log in page|payment page|same page|black screen|next page",
    "says": """something went wrong|my password is wrong|no|there's no connection|I need to update|the amount is too high|pending|
        my card isn't valid|it's blocked|I'm locked out|try again|error|to try again|zero|my card is blocked|
        to call you|my account is locked|the code is wrong|there isn't enough money|the number is too long|it's not allowed""",
    "device": "phone|tablet|computer|new phone|old phone|laptop|iPhone|watch",
    "coins": "coins|small change|notes|old notes|cash|change|coins and notes|twenty dollar bills|checks|paper",
    "where": """my new address|my home|the office|my parents|my old flat|my new place|my {kin}|another address|the old street|
        my house|my work|my old address|a post box|the wrong house|the branch""",
    "home": "house|flat|apartment|dorm|first home|place|room|new house|old flat|building",
    "part": "morning|day|night|week|afternoon|weekend|month",
    "kin": """wife|husband|partner|girlfriend|boyfriend|mother|father|sister|brother|son|daughter|friend|boss|grandmother|kids|
        mom|dad|parents|ex|roommate|flatmate|neighbor|mother|wife|husband|brother|sister|girl|family|uncle|aunt|cousin""",
    "land": """Spain|France|Italy|Germany|Japan|Canada|Mexico|India|Australia|Turkey|Greece|Portugal|South America|Europe|Boston|
        Berlin|London|Paris|New York|Dubai|China|Africa|Denver|Chicago|Texas|another country|Brazil|Egypt|Rome|Dublin|
        South Africa|Asia|Poland|Sweden|California|Florida|Ireland|Scotland""",
    "money": "euros|dollars|pounds|another currency|cash|dollars or pounds|coins",
    "when2": """today|tomorrow|next week|last week|this week|this morning|yesterday|last night|on {day}|on {day}|on {day}|on {day}|
        next month|this month|last month|in {month}|in {month}|right now|on the {ord}|at midnight|before noon|this afternoon|
        this weekend|at the end of the month|on the weekend|next year|last year|before {day}|before the weekend|
        two weeks ago|an hour ago|a week ago|in the morning|twice|every month|every day|after {day}|till {day}|at once|
        three days ago|two months ago|for six months|for a year|tonight|all day|in ten minutes|the day before""",
    "day": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|weekends",
    "unit1": "week|month|year|day|couple of weeks|while|few days|whole year",
    "unit2": "days|weeks|months|hours|minutes|years",
}  # fmt: skip


def caller_words(text: str) -> str:
    """A text as a model can write it: capital letters and apostrophes."""
    return " ".join(re.sub(r"[^A-Z']", " ", text.upper()).split())


CALL_SLOTS = {name: [" ".join(w.split()) for w in text.split("|") if w.strip()] for name, text in CALLS.items()}
# Said on the telephone to a bank, and in no list above.
CALL_WORDS = """chewed cruise board goes jeans lunches maple minutes stays straight higher inherited dies dead ok maybe
    overseas anything anybody everybody mine yours theirs ours also away back only left gone given told meant paid kept
    letting getting having putting seeing saying sending wanting waiting charged used taken lent borrowed owed signed
    reached refused approved allowed missing extra double wrong right whatever whenever whichever nothing somewhere
    photo paper advance collected counted cleared latest fingerprint press easy easily fake camera chip purchases
    receipt withdrawals statements charges fees payments rate rates worth value signature manager accepted amounts
    arrive banking believe changes checking comes different doing each filled form freezing full kind lives loads
    missed neither outside pays profile spelled standing student sure taxes they've until were you'd you've I'll
    travelling believe someone's something's nothing's anyone's who's haven't hasn't hadn't aren't won't wouldn't
    shouldn't doesn't weren't wasn't we'll you'll they'll we're they're what's where's there's let's""".split()
DEMO_SENTENCES = {caller_words(text) for texts in SENTENCES.values() for text in texts}
CALL_LEXICON = sorted(
    {word for entries in CALL_SLOTS.values() for entry in entries for word in entry.split() if "{" not in word}
    | set(CALL_WORDS)
)


def _fill(rng: random.Random, frame: str) -> list[str]:
    """The words of a frame, with a draw for each of its slots, and for each of theirs."""
    words = []
    for part in frame.split():
        if part == "{num}":
            words.append(number(rng))
        elif "{" in part:
            slot = part[part.index("{") + 1 : part.index("}")]
            filled = _fill(rng, rng.choice(CALL_SLOTS.get(slot) or SLOTS[slot]))
            filled[-1] += part[part.index("}") + 1 :]
            words += filled
        else:
            words.append(part)
    return words


def call(rng: random.Random) -> str:
    """One sentence of a caller to a bank, at most 16 words; one in six is a run of a caller's unrelated words.

    >>> call(random.Random(3)) == call(random.Random(3))
    True
    """
    if rng.random() < 1 / 6:
        return " ".join(rng.choice(CALL_LEXICON) for _ in range(rng.randint(3, 9)))
    while True:
        words = _fill(rng, rng.choice(CALL_SLOTS["call"]))
        if rng.random() < 0.1:
            words.insert(rng.randrange(len(words)), rng.choice(["um", "uh", "just", "actually", "really", "maybe"]))
        text = " ".join(words)
        if 2 <= len(words) <= 16 and caller_words(text) not in DEMO_SENTENCES:
            return text
