"""Accounts: who may come in and become what. Nothing of the web is known here, and every act is noted as a deed.

Rooms: ``arrive`` (signing in, lock-out, providers), ``links`` (invitations, recovery: they work once), ``own`` (the own
account), ``tokens``, ``roles`` (what organisers do), ``membership`` (teams), ``turns`` (what they share).
"""

from braggbook.hub.accounts.arrive import (
    NO_SIGN_IN,
    SignedIn,
    confirm_password,
    link_identity,
    sign_in_identity,
    sign_in_local,
    unlink_identity,
)
from braggbook.hub.accounts.links import (
    Invited,
    accept_account,
    accept_as,
    accept_recovery,
    digest_of_link,
    first_link,
    invite,
    link_of,
    look_at,
    recovery_for,
    recovery_link,
)
from braggbook.hub.accounts.membership import (
    JOINS_FOR,
    folded,
    hand_over,
    join,
    join_link,
    leave,
    make_team,
    remove_member,
    rename_team,
)
from braggbook.hub.accounts.own import change_password, delete_account, end_all_sessions, known_about, rename
from braggbook.hub.accounts.roles import disable, enable, set_organiser
from braggbook.hub.accounts.tokens import TOKEN_DAYS, make_token, revoke_token
from braggbook.hub.accounts.turns import said

__all__ = [
    "JOINS_FOR",
    "NO_SIGN_IN",
    "TOKEN_DAYS",
    "Invited",
    "SignedIn",
    "accept_account",
    "accept_as",
    "accept_recovery",
    "change_password",
    "confirm_password",
    "delete_account",
    "digest_of_link",
    "disable",
    "enable",
    "end_all_sessions",
    "first_link",
    "folded",
    "hand_over",
    "invite",
    "join",
    "join_link",
    "known_about",
    "leave",
    "link_identity",
    "link_of",
    "look_at",
    "make_team",
    "make_token",
    "recovery_for",
    "recovery_link",
    "remove_member",
    "rename",
    "rename_team",
    "revoke_token",
    "said",
    "set_organiser",
    "sign_in_identity",
    "sign_in_local",
    "unlink_identity",
]
