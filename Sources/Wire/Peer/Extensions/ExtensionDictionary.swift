import Metainfo

/// The bencoded dictionary of an extension's message, with errors that name the message.
struct ExtensionDictionary {
  let node: BencodeNode
  private let message: PeerExtension?

  /// The dictionary at the beginning of `payload`.
  init(_ payload: RawSpan, of message: PeerExtension?) throws(ExtensionError) {
    self.message = message
    let bytes = payload.withUnsafeBytes { Array($0) }
    do {
      node = try Bencode.decodePrefix(bytes, limits: WireLimits.extensionValues)
    } catch {
      throw ExtensionError(message: message, offset: error.offset, reason: .bencode(error.reason))
    }
    guard node.dictionary != nil else {
      throw fault(node, .wrongKind("", expected: .dictionary))
    }
  }

  /// Where the dictionary ends, in bytes from the payload's beginning.
  var end: Int { node.range.upperBound }

  /// The number under `key`; nil when there is none.
  func integer(
    _ key: StaticString, in range: ClosedRange<Int64>
  ) throws(ExtensionError) -> Int64? {
    guard let value = node[key] else { return nil }
    guard let number = value.integer else {
      throw fault(value, .wrongKind("\(key)", expected: .integer))
    }
    guard range.contains(number) else { throw fault(value, .outOfRange("\(key)", number)) }
    return number
  }

  /// The string under `key`; empty when there is none.
  func string(_ key: StaticString) throws(ExtensionError) -> ArraySlice<UInt8> {
    guard let value = node[key] else { return [] }
    guard let contents = value.string else {
      throw fault(value, .wrongKind("\(key)", expected: .string))
    }
    return contents
  }

  /// An error at the first byte of `value`.
  func fault(_ value: BencodeNode, _ reason: ExtensionError.Reason) -> ExtensionError {
    ExtensionError(message: message, offset: value.range.lowerBound, reason: reason)
  }
}
