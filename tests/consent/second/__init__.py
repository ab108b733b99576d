"""The table part of the law a second time, in Cedar, and what the engine and it answer to the same requests.

Covered, each by a policy made from its row: units (controller, law, § 35 SGB I, private), categories and their class,
purposes with their properties, necessity rows with their precedence and conditions, grounds, routes on consent alone,
barred routes, proofs, default marks, locks, keys, duties to delete, reasons and norms of the first collection,
procedures, figures; validity in time and switches of every one of them.

Not covered, because it is code and no table: whether a consent is valid (every consent of a request here is), refusals,
withdrawals and objections, minors and custody, first collection by consent, § 64 Abs. 2 SGB VIII „unklar“ where several
persons are concerned, near matches, the order in which gates are asked and so the reason code, the texts, the duties of
a permit, attachments, and the switches that no row names. What a file says wrongly, both read wrongly.
"""
