def name_of(event):
    return event.get("name", "world")
