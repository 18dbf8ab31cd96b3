"""Numbers from masks: volumes, agreement with a truth, and reports of both."""
