import Swarm

/// A file, or a part of it, read from the swarm as a client takes it: a few reads are on their way or wait
/// for the client, and no more are begun. Belongs to the loop's thread.
final class FileBody: BodySource {
  /// A read of some bytes, until they have gone to the client.
  private final class Chunk {
    let range: Range<UInt64>
    let memory: UnsafeMutableRawBufferPointer
    /// Bytes that did not come yet, and those that went.
    var missing: Int
    var sent = 0
    var cancel: () -> Void = {}

    init(_ range: Range<UInt64>) {
      self.range = range
      memory = .allocate(byteCount: range.count, alignment: 64)
      missing = range.count
    }

    deinit { memory.deallocate() }
  }

  private let file: ReadableFile
  /// What is not read for yet.
  private var rest: Range<UInt64>
  /// In the file's order.
  private var chunks: [Chunk] = []
  private var failure: ReadFailure?
  private var isOver = false
  private var onFirst: ((ReadFailure?) -> Void)?
  private var wake: () -> Void = {}
  /// Whether the client waits.
  private var isWaiting = false

  /// - Parameter range: not empty, within the file.
  init(_ range: Range<UInt64>, of file: ReadableFile) {
    self.file = file
    rest = range
  }

  /// Reads. `completion` is called once, later, unless it is cancelled: when the first bytes are here, or
  /// why they will not be.
  func begin(completion: @escaping (ReadFailure?) -> Void) {
    onFirst = completion
    readMore()
  }

  func setWake(_ wake: @escaping () -> Void) { self.wake = wake }

  func next(into buffer: UnsafeMutableRawBufferPointer) -> BodyPart {
    guard let chunk = chunks.first else { return failure == nil ? .end : .failed }
    guard chunk.missing == 0 else {
      if failure != nil { return .failed }
      isWaiting = true
      return .later
    }
    let count = min(buffer.count, chunk.memory.count - chunk.sent)
    buffer.copyMemory(
      from: UnsafeRawBufferPointer(rebasing: chunk.memory[chunk.sent..<(chunk.sent + count)]))
    chunk.sent += count
    if chunk.sent == chunk.memory.count {
      chunks.removeFirst()
      readMore()
    }
    return .bytes(count)
  }

  func cancel() {
    isOver = true
    onFirst = nil
    for chunk in chunks where chunk.missing > 0 { chunk.cancel() }
    chunks = []
  }

  private func readMore() {
    while !isOver, failure == nil, !rest.isEmpty, chunks.count < HTTPServerLimits.fileReads {
      // On the file's own grid, so that reads of one client are those of another.
      let grid = HTTPServerLimits.fileReadBytes
      let end = min(rest.upperBound, (rest.lowerBound / grid + 1) * grid)
      let chunk = Chunk(rest.lowerBound..<end)
      rest = end..<rest.upperBound
      chunks.append(chunk)
      chunk.cancel = file.read(
        chunk.range,
        { [weak chunk] bytes, offset in
          guard let chunk, !bytes.isEmpty, chunk.range.contains(offset) else { return }
          let start = Int(offset - chunk.range.lowerBound)
          let count = min(bytes.count, chunk.memory.count - start)
          UnsafeMutableRawBufferPointer(rebasing: chunk.memory[start..<(start + count)])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
          chunk.missing -= count
        },
        { [weak self, weak chunk] in self?.finish(chunk, $0) })
    }
  }

  private func finish(_ chunk: Chunk?, _ failure: ReadFailure?) {
    guard !isOver, let chunk else { return }
    if let failure, self.failure == nil {
      self.failure = failure
      for other in chunks where other.missing > 0 && other !== chunk { other.cancel() }
    }
    // Only the first one can be sent.
    guard failure != nil || chunks.first === chunk else { return }
    if let onFirst {
      self.onFirst = nil
      onFirst(failure)
    }
    guard isWaiting else { return }
    isWaiting = false
    wake()
  }
}
