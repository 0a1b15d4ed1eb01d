"""The lecturer's side: a class's exports as one table, and feedback to each student. Files only, no server."""
