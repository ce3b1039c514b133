"""The player: a server of sessions for browsers and programs; `PROTOCOL.md` beside this is its one page for people."""
