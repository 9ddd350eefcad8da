import { render } from 'preact';
import { App } from './app';
import { followLinks } from './router';
import './styles.css';
import { startLook } from './ui/look';

startLook();
followLinks();
render(<App />, document.getElementById('root')!);
