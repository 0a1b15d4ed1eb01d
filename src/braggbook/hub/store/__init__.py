"""All SQL of the hub: tables, transactions, migrations, and what is asked of them."""
