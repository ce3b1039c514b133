"""How a session is kept: logs, snapshots, branches and the archive that ties them; `worlds.session` lives in it."""
