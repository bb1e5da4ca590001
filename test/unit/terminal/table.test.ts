// Tests tables line by line.
import { describe, expect, it } from 'vitest';
import { confusionLines, tableLines } from '../../../coordinator/terminal/table.js';

describe('tableLines', () => {
  it('makes each column as wide as its widest cell, and ends no line in spaces', () => {
    const columns = [
      { title: 'row', align: 'left' },
      { title: '%', align: 'right' },
      { title: 'note', align: 'left' },
    ] as const;
    const rows = [
      ['NN', '7.5', 'long note'],
      ['DropNN', '71.20', ''],
    ];
    expect(tableLines(columns, rows)).toEqual([
      'row         %  note',
      '------  -----  ---------',
      'NN        7.5  long note',
      'DropNN  71.20',
    ]);
  });
});

describe('confusionLines', () => {
  it('has the recognised share of each label by its name, and none for a label that does not occur', () => {
    const counts = [
      [3, 1],
      [0, 0],
    ];
    const [, titles, , first, second] = confusionLines(counts, ['3', '8']);
    expect(titles).toBe('label  3  8   right');
    expect(first).toBe('    3  3  1  75.0 %');
    expect(second).toBe('    8  0  0       -');
  });

  it('cuts long names, and of many classes has the pairs that are confused most', () => {
    const [, titles] = confusionLines(
      [
        [1, 0],
        [0, 1],
      ],
      ['a house by the sea', 'b'],
    );
    expect(titles).toBe('             label  a house…  b    right');
    const many = Array.from({ length: 300 }, (_, label) =>
      Array.from({ length: 300 }, (_, predicted) =>
        label === predicted ? 8 : Number(label === 7 && predicted === 9) * 2,
      ),
    );
    const names = many.map((_, each) => `class ${each}`);
    expect(confusionLines(many, names)).toEqual([
      'Confusion: the 1 pairs of 300 classes that are confused most',
      'label    taken for  images  of the label',
      '-------  ---------  ------  ------------',
      'class 7  class 9         2        20.0 %',
    ]);
  });
});
