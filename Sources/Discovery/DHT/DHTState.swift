import Metainfo
import Wire

/// What a node of the DHT knows that is of use in its next run: the file `dht.nodes`.
public struct DHTState: Hashable, Sendable {
  /// Our id among IPv4 nodes.
  public var id: NodeID?
  /// Our id among IPv6 nodes.
  public var id6: NodeID?
  /// Nodes that had answered, of both families.
  public var nodes: [NodeContact]

  /// What is known from its parts.
  public init(id: NodeID? = nil, id6: NodeID? = nil, nodes: [NodeContact] = []) {
    self.id = id
    self.id6 = id6
    self.nodes = nodes
  }

  /// Reads what `encoded` wrote. Whatever is wrong, the node can start with nothing instead.
  public init(decoding bytes: [UInt8]) throws(DHTStateError) {
    let root: BencodeNode
    let limits = BencodeLimits(bytes: DHTLimits.stateBytes, depth: 4, nodes: 64)
    do {
      root = try Bencode.decode(bytes, limits: limits)
    } catch { throw .bencode(error) }
    guard root.dictionary != nil else { throw .wrongField("") }
    id = try Self.id(root, "id")
    id6 = try Self.id(root, "id6")
    nodes = try Self.nodes(root, "nodes", length: 26) + Self.nodes(root, "nodes6", length: 38)
  }

  /// The dictionary of ids and nodes, as messages have them. BEP 5, BEP 32.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder(capacity: 8_192)
    encoder.beginDictionary()
    if let id { encode(id.bytes, "id", &encoder) }
    if let id6 { encode(id6.bytes, "id6", &encoder) }
    encode(compact(v4: true), "nodes", &encoder)
    encode(compact(v4: false), "nodes6", &encoder)
    encoder.end()
    return encoder.bytes
  }

  private func compact(v4: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    let some = nodes.lazy.filter { ($0.endpoint.family == .v4) == v4 }
    for node in some.prefix(DHTLimits.savedNodes) { node.append(to: &bytes) }
    return bytes
  }

  private func encode(_ bytes: [UInt8], _ key: StaticString, _ encoder: inout BencodeEncoder) {
    encoder.key(key)
    encoder.string(bytes)
  }

  private static func id(
    _ root: BencodeNode, _ key: StaticString
  ) throws(DHTStateError) -> NodeID? {
    guard let value = root[key] else { return nil }
    guard let id = value.string.flatMap({ NodeID($0) }) else { throw .wrongField("\(key)") }
    return id
  }

  private static func nodes(
    _ root: BencodeNode, _ key: StaticString, length: Int
  ) throws(DHTStateError) -> [NodeContact] {
    guard let value = root[key] else { return [] }
    guard let bytes = value.string, bytes.count.isMultiple(of: length) else {
      throw .wrongField("\(key)")
    }
    let starts = stride(from: bytes.startIndex, to: bytes.endIndex, by: length)
    return starts.prefix(DHTLimits.savedNodes).compactMap {
      NodeContact(compact: bytes[$0..<($0 + length)])
    }
  }
}

/// Why a file is not what a node of the DHT had left.
public enum DHTStateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// It is not bencoded.
  case bencode(BencodeError)
  /// A field is not what it should be; the empty name is the whole.
  case wrongField(String)

  /// What is wrong.
  public var description: String {
    switch self {
    case .bencode(let error): "\(error)"
    case .wrongField(let name):
      name.isEmpty ? "no dictionary" : "\"\(name)\" is not what a node of the DHT writes"
    }
  }
}
