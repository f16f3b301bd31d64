"""From a run folder to pages, tables and figures, without torch."""
