"""Failed `requests` calls as curl commands in your team's chat."""
