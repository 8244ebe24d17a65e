package highlevel

// PublishedKey is HighLevel's Ed25519 key as PEM.
const PublishedKey = publishedKey
