import Metainfo

/// What decodes is canonical: encoding it again gives the same bytes. A prefix decodes as it would
/// alone.
func fuzzBencode(_ bytes: UnsafeRawBufferPointer) {
  let input = Array(bytes)
  let whole = check(input)
  do {
    let prefix = try Bencode.decodePrefix(input)
    precondition(prefix.range.lowerBound == 0 && !prefix.range.isEmpty)
    let alone = check(Array(input[prefix.range]))
    precondition(alone == BencodeValue(prefix))
    if let whole { precondition(whole == alone && prefix.range.count == input.count) }
  } catch {
    precondition(whole == nil)
    check(error, in: input)
  }
}

private func check(_ input: [UInt8]) -> BencodeValue? {
  do {
    let node = try Bencode.decode(input)
    let value = BencodeValue(node)
    precondition(node.range == input.indices && node.encoded == input[...])
    precondition(value.encoded == input)
    walk(node)
    return value
  } catch {
    check(error, in: input)
    return nil
  }
}

/// A node is of one kind, and its parts lie within it in order.
private func walk(_ node: BencodeNode) {
  precondition((node.integer != nil) == (node.kind == .integer))
  precondition((node.string != nil) == (node.kind == .string))
  precondition((node.list != nil) == (node.kind == .list))
  precondition((node.dictionary != nil) == (node.kind == .dictionary))
  var end = node.range.lowerBound
  func check(_ part: BencodeNode) {
    precondition(part.range.lowerBound > end || end == node.range.lowerBound)
    precondition(part.range.upperBound < node.range.upperBound)
    end = part.range.upperBound - 1
    walk(part)
  }
  var count = 0
  if let list = node.list {
    for part in list {
      check(part)
      count += 1
    }
    precondition(count == list.count)
  }
  if let dictionary = node.dictionary {
    var last: ArraySlice<UInt8>?
    for (key, value) in dictionary {
      if let last { precondition(last.lexicographicallyPrecedes(key)) }
      last = key
      check(value)
      count += 1
      precondition(node[bytes: key]?.range == value.range)
    }
    precondition(count == dictionary.count)
  }
}

private func check(_ error: BencodeError, in input: [UInt8]) {
  precondition((0...input.count).contains(error.offset) && !error.description.isEmpty)
}
