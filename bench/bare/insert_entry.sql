-- One entry; made to take as many rows as a group has.
INSERT INTO change_log (
    bucket, position, account, solution, application, kind, mask, subject, changed, by,
    change_agent, body
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
