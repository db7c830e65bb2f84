/// How a scripted peer misbehaves.
enum Vice: String, CaseIterable {
  /// Not at all: it serves what it has.
  case none
  /// Serves blocks of which some have a wrong bit.
  case flipsBits
  /// Answers hash requests with wrong uncle hashes.
  case forgesProofs
  /// Answers hash requests with wrong hashes of the base layer.
  case wrongLayers
  /// Sends blocks that are shorter than what was asked for.
  case wrongLengths
  /// Sends blocks that nobody asked for.
  case unaskedPieces
  /// Keeps the connection alive, endlessly, and does nothing else.
  case keepAlives
  /// Asks for the same things again and again, thousands at once, and reads slowly.
  case requestFlood
  /// Never lets anybody request.
  case chokesForever
  /// Lets everybody request, and never answers.
  case neverAnswers
  /// Rejects every request, of blocks and of hashes.
  case rejectsAll
  /// Says that it has all, and rejects what it is asked for.
  case falseBitfield
  /// Begins with nothing and says again and again that it has pieces, some beyond the end.
  case falseHaves
  /// Gives the metadata a wrong size.
  case metadataSize
  /// Gives wrong metadata.
  case metadataBytes
  /// Tells of thousands of peers that are not there.
  case pexFlood
  /// Sends noise from the first byte on.
  case garbage
  /// Sends noise behind a handshake.
  case lateGarbage
  /// Stops in the middle of the handshake.
  case cutHandshake
  /// Connects many times under the same name.
  case duplicates
  /// Asks for hashes without end.
  case hashFlood
  /// Answers a block every now and then.
  case slow
  /// Chokes and unchokes all the time.
  case flutters
  /// Downloads and never uploads.
  case freeRider
  /// Serves wrong blocks, and rejects all requests for hashes, so that it is found out late.
  case hidesProofs
  /// Serves right blocks, and rejects all requests for hashes, as a seed does that trusts its data unread.
  case hasNoProofs

  /// Whether it can be counted among those that have the content to give.
  var serves: Bool {
    self == .none || self == .flutters || self == .slow || self == .hasNoProofs
  }

  /// Whether it proves itself a liar by bytes that are held against hashes.
  var liesAboutContent: Bool {
    switch self {
    case .flipsBits, .forgesProofs, .wrongLayers, .hidesProofs: true
    default: false
    }
  }

  /// Those that random swarms choose from. The two that reject hashes have a part of their own
  /// (`ReadSwarm`), so that seeds play what they played before.
  static let hostile = allCases.filter { ![.none, .hidesProofs, .hasNoProofs].contains($0) }
}
