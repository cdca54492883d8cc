"""Stand-ins that speak the wire protocols of Mistral, Pinecone and OpenAI to the true SDKs."""
