"""The Lua half of the engine; what they share lies with imbi_sdk.queue.scripts."""
