/// A parameter of magnet URIs that we read.
public enum MagnetParameter: String, Hashable, Sendable, CaseIterable {
  /// Exact topic: an infohash. BEP 9, BEP 52.
  case exactTopic = "xt"
  /// Exact source: a dataset key. BEP 46.
  case exactSource = "xs"
  /// Salt of the dataset's head. BEP 46.
  case salt = "s"
  /// Display name. BEP 9.
  case name = "dn"
  /// Exact length of the content in bytes.
  case exactLength = "xl"
  /// Tracker. BEP 9.
  case tracker = "tr"
  /// Web seed. BEP 19.
  case webSeed = "ws"
  /// Address of a peer. BEP 9.
  case peer = "x.pe"
  /// Select only these files. BEP 53.
  case selectOnly = "so"
  /// Number of the dataset's version that is meant. Ours.
  case version = "x.v"
  /// Read key of a private dataset, which nothing but a link tells. Ours.
  case readKey = "x.rk"
}

/// Why a text is not a link, and where. Tells lengths, and single bytes of public parameters; never
/// repeats the value of a parameter, so that a link's secrets stay out of logs.
public struct MagnetError: Error, Hashable, Sendable {
  /// Where the fault is; nil when it is in the link as a whole.
  public let parameter: MagnetParameter?
  /// Where the parameter begins, or the very fault where it has its own place: in bytes from the
  /// beginning of the link.
  public let offset: Int
  /// What is wrong.
  public let reason: Reason

  /// What can be wrong with a link.
  public enum Reason: Hashable, Sendable {
    /// The text does not begin with `magnet:?`.
    case notMagnet
    /// The link has this many bytes, more than we read.
    case tooLong(Int)
    /// The link has more parameters than we read.
    case tooManyParameters
    /// No parameter names a torrent or a dataset.
    case namesNothing
    /// The link names two different torrents, datasets or salts.
    case ambiguous
    /// A `%` is not followed by two hexadecimal digits. RFC 3986, section 2.1.
    case badEscape
    /// A v1 infohash has this many digits.
    case v1InfohashLength(Int)
    /// A v2 infohash does not begin with the multihash code of SHA-256.
    case multihash
    /// A v2 infohash has this many digits after the multihash code.
    case v2InfohashLength(Int)
    /// A dataset key has this many digits.
    case keyLength(Int)
    /// A dataset key stands where an infohash belongs.
    case keyAsTopic
    /// A bare run of hexadecimal digits has this many of them.
    case bareDigits(Int)
    /// A read key has this many characters.
    case readKeyLength(Int)
    /// Something in a read key is not a hexadecimal digit; it is not said what.
    case readKeyDigits
    /// A salt has this many digits.
    case saltLength(Int)
    /// Not a hexadecimal digit.
    case notHexadecimal(UInt8)
    /// Not a base32 digit.
    case notBase32(UInt8)
    /// A URL that is not UTF-8.
    case notText
    /// Not a number of bytes below 2^64.
    case notLength
    /// Item of a file selection, counted from 1, that is not a number or an ascending range.
    case selection(item: Int)
    /// Not the number of a version: from 1 to 2^63 - 1.
    case notVersion
    /// The number of a version without a dataset's key.
    case versionOfNothing
    /// Not a peer's address.
    case peer(PeerAddressError)
  }
}

extension MagnetError: CustomStringConvertible {
  /// One line: place and reason.
  public var description: String {
    guard let parameter else {
      return offset == 0 ? "link: \(reason)" : "link at byte \(offset): \(reason)"
    }
    return "\(parameter.rawValue) at byte \(offset): \(reason)"
  }
}

extension MagnetError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .notMagnet: "a magnet link begins with \"magnet:?\" (BEP 9)"
    case .tooLong(let count): "\(count) bytes, more than \(MagnetLimits.uriBytes)"
    case .tooManyParameters: "more than \(MagnetLimits.parameters) parameters"
    case .namesNothing:
      "nothing is named: xt=urn:btih:, xt=urn:btmh: or xs=urn:btpk: expected (BEP 9, 52, 46)"
    case .ambiguous: "the link already has a different one"
    case .badEscape: "\"%\" without two hexadecimal digits (RFC 3986)"
    case .v1InfohashLength(let count):
      "\(count) digits, 40 hexadecimal or 32 base32 digits expected (BEP 9)"
    case .multihash: "the multihash does not begin with 1220, SHA-256 (BEP 52)"
    case .v2InfohashLength(let count): "\(count) hex digits after 1220, 64 expected (BEP 52)"
    case .keyLength(let count): "\(count) hex digits, 64 expected (BEP 46)"
    case .keyAsTopic: "a dataset key belongs in xs, not in xt (BEP 46)"
    case .bareDigits(let count):
      "\(count) hex digits, a dataset key has 64; an infohash is written urn:btih: or urn:btmh:, "
        + "a file of this name with ./ before it"
    case .readKeyLength(let count): "\(count) characters, 64 hexadecimal digits expected"
    case .readKeyDigits: "not hexadecimal digits alone"
    case .saltLength(let count):
      "\(count) hex digits, an even number up to \(2 * MagnetLimits.saltBytes) expected (BEP 44)"
    case .notHexadecimal(let byte): "\(quoted(byte)) is not a hexadecimal digit"
    case .notBase32(let byte): "\(quoted(byte)) is not a base32 digit (RFC 4648)"
    case .notText: "not UTF-8"
    case .notLength: "not a number of bytes"
    case .selection(let item): "item \(item) is not a file number or an ascending range (BEP 53)"
    case .notVersion: "not the number of a version, which are counted from 1"
    case .versionOfNothing: "only a dataset's key (xs=urn:btpk:) has versions"
    case .peer(let error): "\(error) (BEP 9)"
    }
  }
}

/// A byte for people: `'x'`, or its number where it is not a visible ASCII character.
func quoted(_ byte: UInt8) -> String {
  (0x21...0x7e).contains(byte) ? "'\(Unicode.Scalar(byte))'" : "byte 0x\([byte].hex)"
}
