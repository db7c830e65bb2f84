import Glibc
import Metainfo
import SwarmNode

/// What is said of a text that was to be a link, a key or a file, and is none.
enum LinkAdvice {
  /// Reads a link, or takes the text for a path.
  static func parse(_ text: [UInt8]) throws(Failure) -> LinkArgument {
    do throws(MagnetError) {
      return try LinkArgument(parsing: text)
    } catch {
      if isKeyWithoutNumber(text) { throw Failure(missing(text)) }
      throw Failure("\(error)" + (advice(error).map { "; \($0)" } ?? ""))
    }
  }

  /// Whether something stands behind a key and its @.
  private static func isKeyWithoutNumber(_ text: [UInt8]) -> Bool {
    text.count > 64 && text[64] == UInt8(ascii: "@") && text[..<64].allSatisfy(isHexadecimal)
  }

  /// What to look at; nil where the error says it all.
  static func advice(_ error: MagnetError) -> String? {
    switch error.reason {
    case .namesNothing:
      "a link has a dataset's key or an infohash; was it cut at an & by the shell? Put it in quotes"
    case .keyLength, .v1InfohashLength, .v2InfohashLength, .readKeyLength, .notHexadecimal,
      .notBase32:
      "was it copied whole?"
    case .notMagnet: "or give the dataset's key alone"
    default: nil
    }
  }

  /// Refuses a path at which there is no file, and says what the text may have been meant as.
  static func refuseWhatIsNoFile(_ path: [UInt8]) throws(Failure) {
    var status = stat()
    guard stat(path.map { CChar(bitPattern: $0) } + [0], &status) == 0 else {
      if errno == ENOENT || errno == ENAMETOOLONG { throw Failure(missing(path)) }
      return
    }
    if status.st_mode & S_IFMT == S_IFDIR { throw Failure(folder(path)) }
  }

  /// A folder where a link or .torrent belongs.
  static func folder(_ path: [UInt8]) -> String {
    "\(printable(path)) is a folder: a link, a key or a .torrent belongs here; swarm seed shares a folder"
  }

  /// A text that a message repeats: no more of it than shows what is meant.
  static func shortened(_ text: [UInt8]) -> String {
    if text.isEmpty { return "\"\"" }
    if text.count <= mostShown { return printable(text) }
    return printable(Array(text.prefix(mostShown))) + "…"
  }

  /// Bytes: a key with a version's number, and most paths.
  private static let mostShown = 120

  static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
  }

  /// There is no such file.
  static func missing(_ text: [UInt8]) -> String {
    let shown = shortened(text)
    let lower = text.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    if lower.starts(with: "http://".utf8) || lower.starts(with: "https://".utf8) {
      return
        "\(shown) is an address of the web: a magnet link, a key or the path of a .torrent belongs here"
    }
    let strangers = text.indices.filter { !isHexadecimal(text[$0]) }
    if strangers.first == 64, text[64] == UInt8(ascii: "@") {
      return
        "\(shown) is no key: a version's number, counted from 1, belongs after the @, as in KEY@3"
    }
    if let first = strangers.first, strangers.count <= 4, text.count >= 32 {
      let name: String? =
        switch text[first] {
        case 0x20, 0x09: "a blank"
        case 0x0A, 0x0D: "a line break"
        case UInt8(ascii: "'"), UInt8(ascii: "\""): "a quote"
        default: nil
        }
      if let name {
        return "\(shown) is no key: it has \(name) after character \(first); was it copied whole?"
      }
      return
        "\(shown) is no key: its character \(first + 1) is no hexadecimal digit; was it copied whole?"
    }
    return "\(shown) is neither a link nor a key, and there is no such file"
  }
}

/// A .torrent on disk.
enum TorrentFile {
  /// Its bytes. Says so where it is plainly something else.
  static func read(_ path: [UInt8]) throws(Failure) -> [UInt8] {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(path, limit: BencodeLimits.torrent.bytes)
    } catch {
      if error.number == EISDIR { throw Failure(LinkAdvice.folder(path)) }
      throw Failure(error.description)
    }
    if bytes.first != UInt8(ascii: "d") { throw Failure(strange(path, bytes)) }
    return bytes
  }

  /// What is said of a file that is no .torrent: none begins otherwise than as a dictionary (BEP 3).
  static func strange(_ path: [UInt8], _ bytes: [UInt8]) -> String {
    let shown = LinkAdvice.shortened(path)
    if bytes.isEmpty { return "\(shown) is no .torrent: it is empty" }
    let line = Array(bytes.prefix(4_096).prefix { $0 != UInt8(ascii: "\n") && $0 != 0x0D })
    if case .link? = try? LinkArgument(parsing: line) {
      return "\(shown) is no .torrent, it has a link in it: give it as @\(shown)"
    }
    return "\(shown) is no .torrent: none begins like that (BEP 3)"
  }
}
