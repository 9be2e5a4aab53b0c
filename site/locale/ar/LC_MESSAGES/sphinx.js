// What the search says, in place of Sphinx's own Arabic catalogue, which leaves most of it empty.
Documentation.addTranslations({
    "locale": "ar",
    "messages": {
        "Hide Search Matches": "إخفاء ما وجده البحث",
        "Preparing search...": "يُجهَّز البحث…",
        "Search": "بحث",
        "Search Results": "نتائج البحث",
        "Search finished, found one page matching the search query.": [
            "انتهى البحث، ولم توجد صفحة توافقه.",
            "انتهى البحث، ووُجدت صفحة واحدة توافقه.",
            "انتهى البحث، ووُجدت صفحتان توافقانه.",
            "انتهى البحث، ووُجدت ${resultCount} صفحات توافقه.",
            "انتهى البحث، ووُجدت ${resultCount} صفحة توافقه.",
            "انتهى البحث، ووُجدت ${resultCount} صفحة توافقه."
        ],
        "Searching": "يجري البحث",
        "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.": "لم توجد صفحة توافق البحث. تحقّق من إملاء الكلمات، أو جرّب كلمة غيرها."
    },
    "plural_expr": "n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 && n%100<=99 ? 4 : 5"
});
