"""Challenges: a design, hidden truth, submissions, evaluations, and a board that anybody can make again.

All of it works on files. Where to look: ``design`` (challenge.toml and what belongs to it), ``vault`` (what the
organiser alone has), ``sealing`` (opening with hidden cases), ``submissions`` (what comes in), ``airlock`` (checking
it), ``evaluate`` and ``scoring`` (running, scoring, receipts), ``board`` and ``ranking`` (who stands where), ``pages``
(what people look at), ``closing`` and ``verify`` (the closed challenge as a folder that a stranger can repeat).
"""
