/* Icons on a grid of 16, drawn with strokes; names are what they mean. */
const shapes = {
    overview: 'M2 13V9M6 13V3M10 13V7M14 13V5',
    keys: 'M10.5 9.5a3.5 3.5 0 1 0-3.3-2.4L2 12.3V14h2.5v-2H6v-1.5l1.4-1.3a3.5 3.5 0 0 0 3.1.3zM11.2 5.3v.01',
    requests: 'M5 4h9M5 8h9M5 12h9M2 4h.01M2 8h.01M2 12h.01',
    people: 'M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 14c0-2.8 2.2-4.5 5-4.5s5 1.7 5 4.5',
    models: 'M8 1.8 14 5v6l-6 3.2L2 11V5zM2 5l6 3.2L14 5M8 8.2v6',
    play: 'M4.5 3v10l8-5z',
    connect: 'M6 3v3M10 3v3M4 6h8v2a4 4 0 0 1-8 0zM8 12v2.5',
    settings: 'M2 5h7M12 5h2M2 11h2M7 11h7M10.5 3.5v3M5.5 9.5v3',
    menu: 'M2 4h12M2 8h12M2 12h12',
    close: 'M4 4l8 8M12 4l-8 8',
    sun: 'M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9',
    moon: 'M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z',
    auto: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 2v12',
    out: 'M6 2.5H3v11h3M10 5l3 3-3 3M13 8H6',
    plus: 'M8 3v10M3 8h10',
    copy: 'M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3',
    check: 'M3 8.5l3.2 3.2L13 4.8',
    search: 'M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4 14 14',
    left: 'M10 3.5 5.5 8l4.5 4.5',
    right: 'M6 3.5 10.5 8 6 12.5',
    up: 'M8 13V3.5M4 7l4-4 4 4',
    down: 'M8 3v9.5M4 9l4 4 4-4',
    undo: 'M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M3 6.5l3-3M3 6.5l3 3',
    trash: 'M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9',
    file: 'M4 2h5l3 3v9H4zM9 2v3h3',
    eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z',
    active: 'M8 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
    cooling: 'M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM8 5v3l2 1.5',
    blocked: 'M8 13.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM4.2 4.2l7.6 7.6',
    warning: 'M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.01',
    info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.3v3.4M8 5.2v.01',
    language:
        'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM2 8h12M8 2c4 4 4 8 0 12M8 2c-4 4-4 8 0 12',
    down_to: 'M8 2.5v7.5M4.5 7 8 10.5 11.5 7M3 13.5h10',
};

export type IconName = keyof typeof shapes;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
    return (
        <svg
            class={`icon icon-${name}`}
            width={size}
            height={size}
            viewBox="0 0 16 16"
            fill="none"
            stroke="currentColor"
            stroke-width="1.5"
            stroke-linecap="round"
            stroke-linejoin="round"
            aria-hidden="true"
            focusable="false"
        >
            <path d={shapes[name]} />
        </svg>
    );
}
