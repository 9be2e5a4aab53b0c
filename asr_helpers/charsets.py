"""01  Text files that are not written in UTF-8: which encoding they have instead.

Conventions: an encoding is named as Python and iconv name it.
"""

from pathlib import Path

from . import InputError

READ = 2**18  # bytes, of which the encoding is told
# What the languages' encodings are known as.
KNOWN_AS = {
    "cp932": "Shift-JIS", "shift_jis": "Shift-JIS", "shift_jis_2004": "Shift-JIS", "shift_jisx0213": "Shift-JIS",
    "euc_jp": "EUC-JP", "euc_jis_2004": "EUC-JP", "euc_jisx0213": "EUC-JP", "cp949": "EUC-KR", "euc_kr": "EUC-KR",
    "johab": "Johab", "cp1256": "Windows-1256", "cp1250": "Windows-1250", "cp1251": "Windows-1251",
    "cp1252": "Windows-1252", "cp1254": "Windows-1254", "gb18030": "GB 18030", "gbk": "GB 18030", "gb2312": "GB 18030",
    "big5": "Big5", "big5hkscs": "Big5", "utf_16": "UTF-16", "utf_16_le": "UTF-16", "utf_16_be": "UTF-16",
    "koi8_r": "KOI8-R",
}  # fmt: skip


def not_utf8(path: str | Path) -> InputError:
    """The error to raise for a text file that is not UTF-8: it says what the file seems to be, and how to change it.

    The encoding is guessed, by charset-normalizer, from how plausible its text would be.
    """
    from charset_normalizer import from_bytes

    name = str(path)
    with open(path, "rb") as file:
        content = file.read(READ)
    found = from_bytes(content).best()
    if found is None:
        return InputError(f"{name!r} is not written in UTF-8, nor in any encoding that we know: save it in UTF-8.")
    encoding = found.encoding
    shown = next((line for line in str(found).splitlines() if not line.isascii()), "")[:40]
    return InputError(
        f"{name!r} is not written in UTF-8 but, it seems, in {KNOWN_AS.get(encoding, encoding)} ({shown!r}): save it "
        f"in UTF-8, as by `iconv -f {encoding.replace('_', '-').upper()} -t UTF-8`."
    )
