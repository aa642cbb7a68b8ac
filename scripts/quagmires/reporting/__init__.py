"""What people read: captions, texts of decisions and plans, and (in folders) tables, figures and the report."""
