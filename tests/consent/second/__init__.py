"""The table part of the law a second time, in Cedar, and what the engine and it answer to the same requests.

Covered, each by a policy made from its row: units (controller, law, § 35 SGB I, private), categories and their class,
purposes with their properties, necessity rows with their precedence and conditions, grounds, routes on consent alone,
barred routes, proofs, default marks, locks, keys, duties to delete, reasons and norms of the first collection,
procedures, figures; validity in time and switches of every one of them.

Not covered, because it is code and no table: whether a consent is valid (every consent of a request here is), refusals,
withdrawals and objections, minors and custody, near matches, the order in which gates are asked and so the reason code,
the texts, the duties of a permit, attachments, and the switches that no row names. Row and column of the tables
are read by both, so that what a file says wrongly is said twice.
"""
