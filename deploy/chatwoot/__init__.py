"""An adapter between the gateway's tickets and Chatwoot, which a shop runs beside the gateway.

It is a client of both over HTTP, imports nothing of the services, and keeps nothing itself: a
ticket's id is the `source_id` of its conversation in Chatwoot, and each message that was carried
over is marked there with the ticket and how much of its transcript is told by then.
"""
