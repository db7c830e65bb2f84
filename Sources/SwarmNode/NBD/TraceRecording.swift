import CUV
import Glibc
import Metainfo
import Synchronization

/// Records what the clients of one export read, from when the first of them comes until the last one has
/// gone. The loop only notes the reads; a thread of the pool makes the trace and writes it.
///
/// Belongs to the loop's thread.
final class TraceRecording {
  /// A read, as it is noted.
  struct Note {
    let offset: UInt64
    let length: UInt32
    let milliseconds: UInt32
  }

  /// What jobs work with, one at a time.
  private final class Book: Sendable {
    struct Page: Sendable {
      var recorder: TraceRecorder
      /// Milliseconds between the start of the boot and that of this recording, which continues it.
      var base: UInt64 = 0
      /// Bytes that were written last.
      var written: UInt64 = 0
      var isOpen = false
      /// Whether nothing can be added any more.
      var isFull: Bool { recorder.isFull }
      var hasNews: Bool { recorder.trace.byteCount > written }
    }

    let page: Mutex<Page>
    init(_ size: UInt64) { page = Mutex(Page(recorder: TraceRecorder(fileSize: size))) }
  }

  private let loop: EventLoop
  private let log: Log
  private let place: RecordedTraces
  private let file: Int
  private let book: Book
  private let start = uv_hrtime()
  private var notes: [Note] = []
  private var isBusy = false
  private var lastWrite: UInt64
  /// Whether jobs have taken in what is not written.
  private var hasNews = false
  /// Nothing can be added any more.
  private var isFull = false
  private var isEnding = false
  private var isOver = false
  private var isFailed = false

  init(of file: Int, size: UInt64, in place: RecordedTraces, on loop: EventLoop, log: Log) {
    self.loop = loop
    self.log = log
    self.place = place
    self.file = file
    book = Book(size)
    lastWrite = start
  }

  /// Somebody reads these bytes now.
  @inline(__always)
  func note(_ offset: UInt64, _ length: UInt64) {
    if isFull { return }
    take(offset, length)
  }

  private func take(_ offset: UInt64, _ length: UInt64) {
    let time = uv_hrtime() - start
    let milliseconds = time / 1_000_000
    if milliseconds > UInt64(TraceLimits.milliseconds) {
      isFull = true
      return
    }
    // What comes while the disk is stuck is not worth memory without end.
    guard notes.count < NBDServerLimits.notedReads, length <= UInt64(UInt32.max) else { return }
    notes.append(
      Note(offset: offset, length: UInt32(length), milliseconds: UInt32(milliseconds)))
    if notes.count >= NBDServerLimits.notesAtOnce { work(writes: false) }
  }

  /// Called from time to time: what was noted long enough ago is written.
  func tick() {
    guard hasNews || !notes.isEmpty, uv_hrtime() - lastWrite >= NBDServerLimits.traceInterval else {
      return
    }
    work(writes: true)
  }

  /// Writes what there is. If the boot has come to its end, it is the newest one then; else whoever
  /// records next goes on with it.
  func end(isOver: Bool) {
    guard !isEnding else { return }
    isEnding = true
    isFull = true
    self.isOver = isOver
    if !isBusy { work(writes: true) }
  }

  private func work(writes: Bool) {
    guard !isBusy else { return }
    isBusy = true
    if writes { lastWrite = uv_hrtime() }
    let notes = notes
    self.notes = []
    let ends = isEnding && isOver
    loop.perform { [book, place, file] in
      book.page.withLock { Self.work(notes, &$0, place, file, writes: writes, ends: ends) }
    } completion: { [self] result in
      isBusy = false
      switch result {
      case .success(let outcome):
        if outcome.isFull { isFull = true }
        hasNews = outcome.hasNews
      case .failure(let error):
        if !isFailed { log(.warning, "what a boot reads cannot be recorded: \(error)") }
        isFailed = true
      }
      guard isEnding else { return }
      if !self.notes.isEmpty || !writes || isOver && !ends { work(writes: true) }
    }
  }

  /// What a job comes to: whether nothing can be added any more, and whether something is still to be
  /// written.
  private struct Outcome: Sendable {
    let isFull: Bool
    let hasNews: Bool
  }

  /// Adds the reads to the trace, and writes it if there is something new.
  private static func work(
    _ notes: [Note], _ page: inout Book.Page, _ place: RecordedTraces, _ file: Int,
    writes: Bool, ends: Bool
  ) -> Result<Outcome, SystemError> {
    do throws(SystemError) {
      if !page.isOpen {
        page.isOpen = true
        try open(&page, place, file)
      }
      for note in notes {
        page.recorder.record(
          note.offset..<(note.offset + UInt64(note.length)),
          at: page.base + UInt64(note.milliseconds))
      }
      let trace = page.recorder.trace
      let count = trace.byteCount
      if writes, count > page.written {
        try place.keep(part: trace, of: file)
        page.written = count
      }
      if ends, page.written > 0 { try place.finish(file) }
    } catch {
      return .failure(error)
    }
    return .success(Outcome(isFull: page.isFull, hasNews: page.hasNews))
  }

  /// What an earlier node left of a boot is gone on with if that was just now, as after a restart of
  /// the node in the middle of it; else that boot is over.
  private static func open(
    _ page: inout Book.Page, _ place: RecordedTraces, _ file: Int
  ) throws(SystemError) {
    guard let (trace, age) = place.part(of: file) else { return }
    guard (0...NBDServerLimits.traceGap).contains(age),
      trace.fileSize == page.recorder.fileSize
    else { return try place.finish(file) }
    for read in trace.reads { page.recorder.record(read.range, at: UInt64(read.milliseconds)) }
    page.base = UInt64(trace.reads.last?.milliseconds ?? 0) + UInt64(age) * 1_000
    page.written = trace.byteCount
  }
}
