"""What Alembic runs for a migration: on the connection that :meth:`Database.migrate` has open."""

from alembic import context

from braggbook.hub.store.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
